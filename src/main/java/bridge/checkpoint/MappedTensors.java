package bridge.checkpoint;

import bridge.torch.DType;
import bridge.torch.Memory;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes tensors over the bytes of a mapped file, after checking that every element they reach lies
 * inside their part of it. Nothing is copied, except parts that do not begin at a multiple of their
 * element's width (old formats), once each.
 */
final class MappedTensors implements AutoCloseable {
  /** More in one file is an attack, not a network. */
  static final int MOST_TENSORS = 100_000;

  static final int MOST_DIMENSIONS = 64;

  /** How much larger than its file a tensor may be; one can be, by repeating its elements. */
  private static final long SLACK = 1 << 24;

  private final Path file;
  private final long fileBytes;
  private final Map<Region, Memory> copies = new HashMap<>();

  MappedTensors(Path file, long fileBytes) {
    this.file = file;
    this.fileBytes = fileBytes;
  }

  /** A part of a file: the bytes of one storage. */
  record Region(Memory memory, long start, long bytes) {}

  /**
   * A tensor over {@code region}.
   *
   * @param offset of its first element, in elements from the region's start
   * @param strides in elements; null for row by row
   */
  Tensor tensor(String name, Region region, DType type, long offset, long[] shape, long[] strides) {
    long[] steps = strides == null ? rowMajor(name, shape) : strides;
    long reach = reach(name, region, type, offset, shape, steps);
    Region source = reach == 0 ? region : aligned(region, type);
    long first = reach == 0 ? 0 : source.start + offset * type.bytes();
    if (reach == 0 || Arrays.equals(steps, rowMajor(name, shape))) {
      return Tensor.of(source.memory, first, type, shape);
    }
    return Tensor.of(source.memory, first, type, reach).asStrided(shape, steps, 0);
  }

  /** How many elements lie between the first and the last, both counted; 0 for none. */
  private long reach(
      String name, Region region, DType type, long offset, long[] shape, long[] strides) {
    long bytes = bytes(shape, type);
    if (shape.length != strides.length || bytes < 0 || bytes > fileBytes + SLACK || offset < 0) {
      throw impossible(name, offset, shape, strides);
    }
    if (bytes == 0) {
      return 0;
    }
    try {
      long last = 0;
      for (int d = 0; d < shape.length; d++) {
        if (strides[d] < 0) {
          throw impossible(name, offset, shape, strides);
        }
        last = Math.addExact(last, Math.multiplyExact(shape[d] - 1, strides[d]));
      }
      long end = Math.multiplyExact(Math.addExact(Math.addExact(offset, last), 1), type.bytes());
      if (end > region.bytes) {
        throw new CheckpointException(
            file,
            "has tensor %s reaching to byte %d of a storage of %d bytes; fetch it again"
                .formatted(CheckpointException.printable(name), end, region.bytes));
      }
      return last + 1;
    } catch (ArithmeticException e) {
      throw impossible(name, offset, shape, strides);
    }
  }

  /** Bytes of a dense tensor; -1 for a shape that is none or overflows. */
  static long bytes(long[] shape, DType type) {
    if (shape.length > MOST_DIMENSIONS) {
      return -1;
    }
    long bytes = type.bytes();
    boolean empty = false;
    for (long n : shape) {
      // Zeros are left out of the product: libtorch overflows over the others all the same.
      if (n < 0 || n > 0 && bytes > Long.MAX_VALUE / n) {
        return -1;
      }
      bytes *= Math.max(n, 1);
      empty |= n == 0;
    }
    return empty ? 0 : bytes;
  }

  private long[] rowMajor(String name, long[] shape) {
    if (bytes(shape, DType.UINT8) < 0) {
      throw impossible(name, 0, shape, new long[0]);
    }
    long[] strides = new long[shape.length];
    long step = 1;
    for (int d = shape.length - 1; d >= 0; d--) {
      strides[d] = step;
      step *= Math.max(shape[d], 1);
    }
    return strides;
  }

  private Region aligned(Region region, DType type) {
    if (region.start % type.bytes() == 0) {
      return region;
    }
    Memory copy =
        copies.computeIfAbsent(
            region,
            r -> {
              Memory block = Memory.allocate(r.bytes);
              block.copyFrom(r.memory, r.start, 0, r.bytes);
              return block;
            });
    return new Region(copy, 0, region.bytes);
  }

  private CheckpointException impossible(String name, long offset, long[] shape, long[] strides) {
    return new CheckpointException(
        file,
        "has tensor %s of an impossible layout: offset %d, shape %s, strides %s"
            .formatted(
                CheckpointException.printable(name),
                offset,
                CheckpointException.printable(Arrays.toString(shape)),
                CheckpointException.printable(Arrays.toString(strides))));
  }

  /** Gives the copies made to the caller, who closes them when the tensors are done. */
  List<Memory> release() {
    List<Memory> all = new ArrayList<>(copies.values());
    copies.clear();
    return all;
  }

  @Override
  public void close() {
    copies.values().forEach(Memory::close);
  }
}
