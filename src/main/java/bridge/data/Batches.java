package bridge.data;

import bridge.torch.Device;
import bridge.torch.Seeds;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.NoSuchElementException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * An image set cut into batches of floats, the next one made in the background while this one is
 * used.
 *
 * <p>Which images a batch holds, and how each is augmented, depends on the seed, the epoch and the
 * step alone, not on where a run was resumed. The filling thread writes to memory outside the heap,
 * which is the tensors' storage; it never touches libtorch. One thread uses an object of this
 * class, with one epoch at a time.
 */
public final class Batches implements AutoCloseable {
  private final int[] indices;
  private final int batchSize;
  private final Augment augment;
  private final Seeds seeds;
  private final boolean shuffle;
  private final Device device;
  private final int steps;
  private final ExecutorService filler;

  /** Every buffer is in one of these: to be filled, being filled in order, or handed out. */
  private final Deque<BatchBuffer> free = new ArrayDeque<>();

  private final Deque<BatchBuffer> ahead = new ArrayDeque<>();
  private final Deque<BatchBuffer> used = new ArrayDeque<>();

  private Epoch current;
  private boolean closed;

  private Batches(Builder settings) {
    indices = settings.indices;
    batchSize = Math.min(settings.batchSize, Math.max(indices.length, 1));
    augment = settings.augment;
    seeds = settings.seeds;
    shuffle = settings.shuffle;
    device = settings.device;
    steps = Math.ceilDiv(indices.length, settings.batchSize);
    filler =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("bridge-batches-", 0).factory());
    free.add(new BatchBuffer(settings.set, batchSize, device)); // one in use
    free.add(new BatchBuffer(settings.set, batchSize, device)); // and one being filled
  }

  /** Batches of these images of the set; neither shuffled nor augmented unless asked for. */
  public static Builder over(ImageSet set, int[] indices) {
    return new Builder(set, indices);
  }

  /** Settings, each with its default. */
  public static final class Builder {
    private final ImageSet set;
    private final int[] indices;
    private int batchSize = 128;
    private Augment augment = Augment.NONE;
    private Seeds seeds = new Seeds(0);
    private boolean shuffle;
    private Device device = Device.CPU;

    private Builder(ImageSet set, int[] indices) {
      for (int index : indices) {
        if (index < 0 || index >= set.size()) {
          throw new IllegalArgumentException(
              "index must be in [0, %d), found %d".formatted(set.size(), index));
        }
      }
      this.set = set;
      this.indices = indices.clone();
    }

    /** Images in each batch but the last: 128 unless said otherwise. */
    public Builder batchSize(int images) {
      batchSize = positive("batch size", images);
      return this;
    }

    public Builder augment(Augment how) {
      augment = how;
      return this;
    }

    /** Where the order ({@code shuffle}) and the draws ({@code augment}) come from. */
    public Builder seeds(Seeds from) {
      seeds = from;
      return this;
    }

    /** Whether every epoch has an order of its own, instead of the given one. */
    public Builder shuffle(boolean each) {
      shuffle = each;
      return this;
    }

    /** Where the tensors shall be. */
    public Builder device(Device where) {
      device = where;
      return this;
    }

    public Batches build() {
      return new Batches(this);
    }

    private static int positive(String what, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(
            "%s must be at least 1, found %d".formatted(what, value));
      }
      return value;
    }
  }

  /** How many batches an epoch has. */
  public int stepsPerEpoch() {
    return steps;
  }

  /**
   * Starts an epoch, or goes on inside it; the epoch before must not be used any more.
   *
   * @param epoch its number, which makes its order and its draws
   * @param firstStep the first batch wanted: the same as all before it were taken
   */
  public Epoch epoch(int epoch, int firstStep) {
    if (closed) {
      throw new IllegalStateException("these batches are already closed");
    }
    if (firstStep < 0 || firstStep > steps) {
      throw new IllegalArgumentException(
          "first step must be in [0, %d], found %d".formatted(steps, firstStep));
    }
    if (current != null) {
      current.close();
    }
    current = new Epoch(epoch, firstStep);
    return current;
  }

  /** One pass over the images. */
  public final class Epoch implements AutoCloseable {
    private final int number;
    private final int[] order;
    private int step;
    private int filled;

    private Epoch(int number, int firstStep) {
      this.number = number;
      this.order = shuffle ? Order.shuffled(indices, seeds.derive("shuffle", number)) : indices;
      this.step = firstStep;
      this.filled = firstStep;
      fillAhead();
    }

    public boolean hasNext() {
      return step < steps;
    }

    /**
     * The next batch, as tensors of the innermost open scope of this thread. The batch before it is
     * no longer valid (see {@link Batch}).
     *
     * @throws NoSuchElementException after the last
     */
    public Batch next() {
      if (current != this) {
        throw new IllegalStateException("epoch " + number + " is closed");
      }
      if (!hasNext()) {
        throw new NoSuchElementException("epoch %d has %d steps".formatted(number, steps));
      }
      fillAhead();
      BatchBuffer buffer = ahead.remove();
      used.add(buffer);
      buffer.await();
      Batch batch = buffer.tensors(step);
      step++;
      return batch;
    }

    /** Gives the filler all buffers but those whose batches are still to come. */
    private void fillAhead() {
      free.addAll(used);
      used.clear();
      while (!free.isEmpty() && filled < steps) {
        int from = filled * batchSize;
        int to = Math.min(from + batchSize, order.length);
        BatchBuffer buffer = free.remove();
        buffer.fill(
            filler,
            Arrays.copyOfRange(order, from, to),
            augment,
            image -> seeds.derive("augment", number, image));
        ahead.add(buffer);
        filled++;
      }
    }

    /** Stops preparing batches; another epoch may start. */
    @Override
    public void close() {
      if (current == this) {
        ahead.forEach(BatchBuffer::settle);
        free.addAll(ahead);
        ahead.clear();
        current = null;
      }
    }
  }

  /** Stops the filler and frees the buffers; tensors of batches must not be used any more. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (current != null) {
      current.close();
    }
    closed = true;
    filler.shutdown();
    boolean interrupted = false;
    while (!filler.isTerminated()) {
      try {
        filler.awaitTermination(1, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        interrupted = true; // the buffers may be freed only when nobody fills them
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    free.forEach(BatchBuffer::close);
    used.forEach(BatchBuffer::close);
  }
}
