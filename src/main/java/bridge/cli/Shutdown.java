package bridge.cli;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;

/**
 * Ctrl-C and SIGTERM: a training run is asked to stop after its step and given the time to save its
 * state; anything else ends at once. Either way the process's status is 130, and further signals
 * change nothing.
 */
final class Shutdown {
  /** Longer than any step, validation and save that is not stuck. */
  private static final long PATIENCE_SECONDS = 600;

  /** The command's own status, once it is done. */
  private static final CompletableFuture<Integer> STATUS = new CompletableFuture<>();

  private static volatile boolean requested;

  /** What a signal does first: clears away, or tells the user that the run will stop. */
  private static volatile Runnable first = () -> {};

  private static volatile boolean savesState;

  private Shutdown() {}

  /** From here on signals end this process with status 130. */
  static void install() {
    try {
      Runtime.getRuntime().addShutdownHook(new Thread(Shutdown::end, "shutdown"));
    } catch (IllegalStateException e) {
      LockSupport.park(); // a signal came first: this process is ending already
    }
  }

  /** From here on a signal runs this, then ends the process at once. */
  static void endsAtOnce(Runnable clear) {
    first = clear;
    savesState = false;
  }

  /** From here on a signal runs this, then waits for {@link #finished}. */
  static void waitsForState(Runnable message) {
    first = message;
    savesState = true;
  }

  /** Whether the user asked to stop. */
  static boolean requested() {
    return requested;
  }

  /** The command is done; nothing more is to be waited for. */
  static void finished(int status) {
    STATUS.complete(status);
  }

  private static void end() {
    if (STATUS.isDone()) {
      return; // an ordinary end, with the command's own status
    }
    requested = true;
    int status = Main.STOPPED;
    try {
      first.run();
      if (savesState) {
        status = STATUS.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      }
    } catch (TimeoutException | ExecutionException e) {
      System.err.println(
          "bridge: the run did not stop within %d s; its last saved state stands"
              .formatted(PATIENCE_SECONDS));
      status = Main.FAILED;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      System.out.flush();
      Runtime.getRuntime().halt(status);
    }
  }
}
