package bridge.checkpoint;

import bridge.torch.DType;

/**
 * A tensor as a pickle describes it: which elements of a storage it has.
 *
 * @param type null for a type this program does not know
 * @param offset of the first element, in elements
 * @param strides in elements
 */
record View(
    Storage storage, DType type, String typeName, long offset, long[] shape, long[] strides) {}
