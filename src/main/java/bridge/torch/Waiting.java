package bridge.torch;

import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Waits for other threads to the end: their tensors are freed only when nobody uses them. */
public final class Waiting {
  private Waiting() {}

  /** What the future gives; an interruption meanwhile is passed on afterwards. */
  public static <T> T on(Future<T> future) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return future.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case RuntimeException known -> throw known;
        case Error error -> throw error;
        default -> throw new CancellationException(e.getCause().toString());
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
