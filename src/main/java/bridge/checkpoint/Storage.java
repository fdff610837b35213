package bridge.checkpoint;

import bridge.torch.DType;

/**
 * A tensor's bytes, somewhere in the file outside its pickle.
 *
 * @param key names them there
 * @param type of its elements; null for bytes of any type, or a type this program does not know
 * @param typeName what the file calls its type
 * @param elements how many; of bytes for bytes of any type
 * @param start the first element, in storages that are views into another; else 0
 */
record Storage(String key, DType type, String typeName, long elements, long start) {
  boolean untyped() {
    return typeName.endsWith("UntypedStorage");
  }

  /** Bytes of one element as counted in {@code elements}. */
  int width() {
    return type == null ? 1 : type.bytes();
  }
}
