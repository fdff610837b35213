package bridge.torch;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Work on parts of a batch, several at the same time, each on one thread.
 *
 * <p>libtorch's own threads share one operation, and wait for each other after each: small networks
 * gain little by them, and beside another process lose much. Parts of a batch that do not need each
 * other need not wait. How a batch is divided depends on its size alone, so the results are the
 * same bits on any number of cores.
 */
public final class Shards {
  private static ExecutorService pool;
  private static int poolThreads;

  private Shards() {}

  /** What is done with the images from {@code first} on, {@code count} of them. */
  @FunctionalInterface
  public interface Work {
    void on(long first, long count);
  }

  /**
   * Divides images into as many parts of about the same size as need be for none to be larger than
   * {@code size}, and waits for all. On a thread that has one thread for an operation the parts
   * follow one another there; else as many as that run side by side, each in a scope of its own.
   *
   * @throws RuntimeException what the first part that failed has thrown
   */
  public static void run(long images, int size, Work work) {
    long parts = (images + size - 1) / size;
    int threads = Natives.threads();
    if (threads == 1) {
      for (long i = 0; i < parts; i++) {
        one(images, parts, i, work);
      }
      return;
    }
    ExecutorService workers = pool(threads);
    List<Future<?>> started = new ArrayList<>();
    for (long i = 0; i < parts; i++) {
      long part = i;
      started.add(workers.submit(() -> one(images, parts, part, work)));
    }
    await(started);
  }

  private static void one(long images, long parts, long part, Work work) {
    long first = images * part / parts;
    try (Scope _ = Scope.open("shard")) {
      work.on(first, images * (part + 1) / parts - first);
    }
  }

  private static synchronized ExecutorService pool(int threads) {
    if (poolThreads != threads) {
      if (pool != null) {
        pool.shutdown();
      }
      CountDownLatch together = new CountDownLatch(threads);
      pool = Executors.newFixedThreadPool(threads, Shards::thread);
      List<Future<?>> ready = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        ready.add(pool.submit(() -> meet(together)));
      }
      ready.forEach(Waiting::on);
      // each set its own number, and with it the one that threads to come begin with
      Natives.setThreads(threads);
      poolThreads = threads;
    }
    return pool;
  }

  /** Holds a thread until all have begun. */
  private static Void meet(CountDownLatch together) throws InterruptedException {
    together.countDown();
    together.await();
    return null;
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

  /** Waits for all: their tensors are freed only when nobody uses them. */
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
