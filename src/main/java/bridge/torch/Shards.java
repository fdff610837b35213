package bridge.torch;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Work on parts of a batch, several at the same time, each on one thread.
 *
 * <p>libtorch's own threads share one operation, and wait for each other after each: small networks
 * gain little by them, and beside another process lose much. Parts of a batch that do not need each
 * other need not wait. How a batch is divided depends on its size alone, so the results are the
 * same bits on any number of cores.
 */
public final class Shards {
  private static final AtomicLong SUBMITTED = new AtomicLong();

  /** How many threads a thread has for parts, where it has another number for an operation. */
  private static final ThreadLocal<Integer> FOR_PARTS = new ThreadLocal<>();

  private static ThreadPoolExecutor pool;

  private Shards() {}

  /** What is done with the images from {@code first} on, {@code count} of them. */
  @FunctionalInterface
  public interface Work {
    void on(long first, long count);
  }

  /** Parts that were begun. */
  @FunctionalInterface
  public interface Pending {
    /**
     * Waits for all of them; later calls return at once.
     *
     * @throws RuntimeException what the first part that failed has thrown
     */
    void await();
  }

  /** One of the pool's tasks: those that somebody waits for come first, then the oldest. */
  private static final class Part extends FutureTask<Void> implements Comparable<Part> {
    private final boolean urgent;
    private final long number = SUBMITTED.incrementAndGet();

    Part(boolean urgent, Runnable work) {
      super(work, null);
      this.urgent = urgent;
    }

    @Override
    public int compareTo(Part other) {
      return urgent != other.urgent ? (urgent ? -1 : 1) : Long.compare(number, other.number);
    }
  }

  /**
   * Operations on this thread have one thread until closed, parts of batches as many as before:
   * what is too small to be divided does not wait for other threads.
   */
  public static final class OneThread implements AutoCloseable {
    private final int before = Natives.threads();
    private final Integer forParts = FOR_PARTS.get();

    private OneThread() {
      FOR_PARTS.set(forParts == null ? before : forParts);
      Natives.setThreads(1);
    }

    public static OneThread enter() {
      return new OneThread();
    }

    @Override
    public void close() {
      Natives.setThreads(before);
      FOR_PARTS.set(forParts);
    }
  }

  /**
   * Divides images into as many parts of about the same size as need be for none to be larger than
   * {@code size}, and waits for all. On a thread that has one thread for an operation the parts
   * follow one another there; else as many as that run side by side, each in a scope of its own.
   *
   * @throws RuntimeException what the first part that failed has thrown
   */
  public static void run(long images, int size, Work work) {
    begin(images, size, work, true).await();
  }

  /**
   * As {@link #run}, without waiting: the parts run when threads have nothing more urgent to do.
   * The innermost scope does not close before they are done, so that what they use lasts.
   */
  public static Pending start(long images, int size, Work work) {
    Pending pending = begin(images, size, work, false);
    Scope.innermost().beforeClosing(pending::await);
    return pending;
  }

  private static Pending begin(long images, int size, Work work, boolean urgent) {
    long parts = (images + size - 1) / size;
    int threads = FOR_PARTS.get() == null ? Natives.threads() : FOR_PARTS.get();
    Executor executor = threads == 1 ? Runnable::run : pool(threads);
    List<Part> started = new ArrayList<>();
    for (long i = 0; i < parts; i++) {
      long part = i;
      Part task = new Part(urgent, () -> one(images, parts, part, work));
      started.add(task);
      executor.execute(task);
    }
    return () -> await(started);
  }

  private static void one(long images, long parts, long part, Work work) {
    long first = images * part / parts;
    try (Scope _ = Scope.open("shard")) {
      work.on(first, images * (part + 1) / parts - first);
    }
  }

  private static synchronized ThreadPoolExecutor pool(int threads) {
    if (pool == null || pool.getCorePoolSize() != threads) {
      if (pool != null) {
        pool.shutdown();
      }
      int own = Natives.threads();
      CountDownLatch together = new CountDownLatch(threads);
      pool =
          new ThreadPoolExecutor(
              threads, threads, 0, TimeUnit.SECONDS, new PriorityBlockingQueue<>(), Shards::thread);
      List<Part> ready = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        ready.add(new Part(true, () -> meet(together)));
        pool.execute(ready.getLast());
      }
      await(ready);
      // each set its own number, and with it the one that threads to come begin with
      Natives.setThreads(own);
    }
    return pool;
  }

  /** Holds a thread until all have begun. */
  private static void meet(CountDownLatch together) {
    together.countDown();
    try {
      together.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static Thread thread(Runnable work) {
    return Thread.ofPlatform()
        .daemon()
        .name("bridge-shard")
        .unstarted(
            () -> {
              Natives.setThreads(1);
              work.run();
            });
  }

  private static void await(List<? extends Future<?>> started) {
    RuntimeException failure = null;
    for (Future<?> future : started) {
      try {
        Waiting.on(future);
      } catch (RuntimeException e) {
        failure = failure == null ? e : failure;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
