package bridge.evaluate;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.torch.Waiting;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Threads that each work on a batch of their own, with their share of the processor's threads for
 * each operation. Small networks leave most of the threads of one operation without work; batches
 * side by side do not. One worker alone is the caller's own thread.
 */
final class Workers implements AutoCloseable {
  private final int count;
  private final int threads;
  private final Optional<ExecutorService> pool;

  Workers(int count) {
    this.count = count;
    this.threads = Natives.threads();
    int share = Math.max(1, threads / count);
    this.pool =
        count == 1
            ? Optional.empty()
            : Optional.of(Executors.newFixedThreadPool(count, work -> thread(work, share)));
  }

  private static Thread thread(Runnable work, int share) {
    return Thread.ofPlatform()
        .daemon()
        .name("bridge-evaluate")
        .unstarted(
            () -> {
              Natives.setThreads(share);
              work.run();
            });
  }

  /** Batches that are worked on at the same time; close it before their scope. */
  Tasks tasks() {
    return new Tasks();
  }

  /** Work on some batches. */
  final class Tasks implements AutoCloseable {
    private final List<Future<?>> started = new ArrayList<>();

    /** The next batches of an epoch, one for each worker, in the innermost scope. */
    List<Batch> nextBatches(Batches.Epoch epoch) {
      List<Batch> batches = new ArrayList<>();
      while (batches.size() < count && epoch.hasNext()) {
        Batch next = epoch.next();
        batches.add(
            count == 1
                ? next
                : new Batch(
                    next.images().copy(), next.labels().copy(), next.indices(), next.step()));
      }
      return batches;
    }

    /**
     * Starts work in a scope of its own, where there are threads for it.
     *
     * @return gives what it came to, once; throws what it threw
     */
    <T> Supplier<T> start(Supplier<T> work) {
      Supplier<T> scoped =
          () -> {
            try (Scope _ = Scope.open("batch")) {
              return work.get();
            }
          };
      if (pool.isEmpty()) {
        return scoped;
      }
      Future<T> future = pool.get().submit(scoped::get);
      started.add(future);
      return () -> Waiting.on(future);
    }

    /** Waits for all that was started. */
    @Override
    public void close() {
      for (Future<?> future : started) {
        try {
          Waiting.on(future);
        } catch (RuntimeException | Error e) {
          // whoever wanted the result was given this
        }
      }
    }
  }

  @Override
  public void close() {
    pool.ifPresent(
        executor -> {
          executor.close();
          Natives.setThreads(threads);
        });
  }
}
