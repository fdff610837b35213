package bridge.data;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Memory;
import bridge.torch.Tensor;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/**
 * Room for one batch outside the heap, and the work of filling it.
 *
 * <p>For a CUDA device the room is pinned and the copy not waited for, so bytes that are still to
 * be copied must not be filled anew. Libtorch's host allocator knows when that is: it notes every
 * such copy, and gives a block that was freed away again only after its copies. So {@link #fill}
 * frees the block and asks for another, which costs a list look-up; this is all the synchronisation
 * there is.
 */
final class BatchBuffer implements AutoCloseable {
  /** Byte to float in [0, 1]: correctly rounded division by 255, as everybody's loader does it. */
  private static final float[] LEVELS = new float[256];

  static {
    for (int i = 0; i < LEVELS.length; i++) {
      LEVELS[i] = i / 255f;
    }
  }

  private final ImageSet set;
  private final int batchSize;
  private final Device device;
  private Memory images;
  private Memory labels;
  private int[] indices = {};
  private List<? extends Future<?>> filling = List.of();

  BatchBuffer(ImageSet set, int batchSize, Device device) {
    this.set = set;
    this.batchSize = batchSize;
    this.device = device;
    allocate();
  }

  private void allocate() {
    long floats = batchSize * set.imageBytes() * Float.BYTES;
    long longs = (long) batchSize * Long.BYTES;
    images = device.isCuda() ? Memory.pinned(floats) : Memory.allocate(floats);
    labels = device.isCuda() ? Memory.pinned(longs) : Memory.allocate(longs);
  }

  /** What each image's draw is made of. */
  interface Randomness {
    long of(int image);
  }

  /** Starts to fill, in {@code parts} tasks. */
  void fill(
      ExecutorService fillers, int parts, int[] wanted, Augment augment, Randomness randomness) {
    if (device.isCuda()) {
      close();
      allocate();
    }
    indices = wanted;
    filling =
        IntStream.range(0, parts)
            .mapToObj(
                part -> {
                  int from = part * wanted.length / parts;
                  int to = (part + 1) * wanted.length / parts;
                  return fillers.submit(() -> fill(from, to, augment, randomness));
                })
            .toList();
  }

  private void fill(int from, int to, Augment augment, Randomness randomness) {
    for (int i = from; i < to; i++) {
      int image = indices[i];
      labels.setLong((long) i * Long.BYTES, set.label(image));
      write(image, i * set.imageBytes() * Float.BYTES, augment.draw(randomness.of(image)));
    }
  }

  /** One image: cropped, mirrored, to floats. */
  private void write(int image, long to, Augment.Draw draw) {
    int height = set.height();
    int width = set.width();
    int first = Math.clamp(-draw.right(), 0, width); // the columns that are not padding
    int last = Math.clamp((long) width - draw.right(), first, width);
    for (int c = 0; c < set.channels(); c++) {
      for (int y = 0; y < height; y++) {
        long out = to + ((long) c * height + y) * width * Float.BYTES;
        int row = y + draw.down();
        boolean padding = row < 0 || row >= height;
        if (padding || last - first < width) {
          images.fill(out, (long) width * Float.BYTES, 0);
        }
        if (!padding) {
          long in = image * set.imageBytes() + ((long) c * height + row) * width + draw.right();
          if (draw.mirrored()) {
            convertBackwards(in + first, last - first, out + (width - 1L - first) * Float.BYTES);
          } else {
            convert(in + first, last - first, out + (long) first * Float.BYTES);
          }
        }
      }
    }
  }

  // Two loops with constant steps: one with a variable step takes a third longer.

  private void convert(long in, int count, long out) {
    Memory from = set.pixels();
    Memory to = images;
    for (int x = 0; x < count; x++) {
      to.setFloat(out + 4L * x, LEVELS[from.getUByte(in + x)]);
    }
  }

  private void convertBackwards(long in, int count, long out) {
    Memory from = set.pixels();
    Memory to = images;
    for (int x = 0; x < count; x++) {
      to.setFloat(out - 4L * x, LEVELS[from.getUByte(in + x)]);
    }
  }

  /** Waits until the batch is whole; what went wrong in a filler is thrown here. */
  void await() {
    settle();
    for (Future<?> part : filling) {
      if (part.state() == Future.State.FAILED) {
        switch (part.exceptionNow()) {
          case RuntimeException failure -> throw failure;
          case Error failure -> throw failure;
          case Throwable failure -> throw new IllegalStateException(failure);
        }
      }
    }
  }

  /** Waits until no filler writes here any more, however it went. */
  void settle() {
    boolean interrupted = false;
    for (Future<?> part : filling) {
      while (!part.isDone()) {
        try {
          part.get();
        } catch (InterruptedException e) {
          interrupted = true; // a batch takes too short to give up
        } catch (ExecutionException e) {
          continue; // await tells it
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** The batch as tensors of the caller's scope. */
  Batch tensors(int step) {
    long[] shape = {indices.length, set.channels(), set.height(), set.width()};
    return new Batch(
        Tensor.of(images, 0, DType.FLOAT32, shape).to(device, true),
        Tensor.of(labels, 0, DType.INT64, indices.length).to(device, true),
        indices,
        step);
  }

  @Override
  public void close() {
    images.close();
    labels.close();
  }
}
