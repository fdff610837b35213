package bridge.checkpoint;

import bridge.torch.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What an {@link Unpickler} makes of a pickle, beside {@link String}, {@link Long}, {@link Double},
 * {@link Boolean}, {@link java.math.BigInteger}, {@code byte[]} and null. Nothing of it comes from
 * running anything the file names.
 *
 * <p>Containers are compared by identity: a hostile file can nest one in itself, and comparing or
 * hashing its contents would then never end. Nothing here may be walked by recursion.
 */
sealed interface Pickled {

  /** A class or function that the pickle names. */
  record Global(String module, String name) implements Pickled {
    @Override
    public String toString() {
      return CheckpointException.shown(module + "." + name);
    }
  }

  /**
   * An object of a class this program does not know: its class only, and for a TorchScript module
   * its attributes.
   */
  final class Opaque implements Pickled {
    final Global type;
    Map<Object, Object> attributes = Map.of();

    Opaque(Global type) {
      this.type = type;
    }
  }

  /** A Python tuple. */
  final class Tuple implements Pickled {
    final List<Object> items;

    Tuple(List<Object> items) {
      this.items = items;
    }
  }

  /** A Python list. */
  final class Items implements Pickled {
    final List<Object> items = new ArrayList<>();
  }

  /** A Python dict, in the order of its keys. */
  final class Dict implements Pickled {
    final Map<Object, Object> entries = new LinkedHashMap<>();
  }

  /**
   * A tensor's bytes, somewhere else in the file.
   *
   * @param key names them there
   * @param type of its elements; null for bytes of any type, or a type this program does not know
   * @param typeName what the file calls its type
   * @param elements how many; of bytes for bytes of any type
   * @param start the first element, in storages that are views into another; else 0
   */
  record Storage(String key, DType type, String typeName, long elements, long start)
      implements Pickled {
    boolean untyped() {
      return typeName.endsWith("UntypedStorage");
    }

    /** Bytes of one element as counted in {@code elements}. */
    int width() {
      return type == null ? 1 : type.bytes();
    }
  }

  /**
   * A tensor.
   *
   * @param type null for a type this program does not know
   * @param offset of the first element, in elements
   */
  record View(
      Storage storage, DType type, String typeName, long offset, long[] shape, long[] strides)
      implements Pickled {}
}
