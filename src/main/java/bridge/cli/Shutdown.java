package bridge.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C and SIGTERM: the run is asked to stop after its step and given time to save; the process
 * then ends with status 130.
 */
final class Shutdown {
  /** Longer than any step and save that is not stuck. */
  private static final long PATIENCE_SECONDS = 120;

  private static final CountDownLatch FINISHED = new CountDownLatch(1);
  private static volatile boolean asked;
  private static volatile boolean watching;

  private Shutdown() {}

  /** From here on a signal asks to stop instead of ending the process. */
  static synchronized void watch() {
    if (!watching) {
      watching = true;
      Runtime.getRuntime().addShutdownHook(new Thread(Shutdown::awaitSaved, "shutdown"));
    }
  }

  /** Whether the user asked to stop. */
  static boolean asked() {
    return asked;
  }

  /** The command is done; nothing more is to be waited for. */
  static void finished() {
    FINISHED.countDown();
  }

  private static void awaitSaved() {
    if (FINISHED.getCount() == 0) {
      return; // an ordinary end, with the command's own status
    }
    asked = true;
    try {
      boolean saved = FINISHED.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
      Runtime.getRuntime().halt(saved ? Main.STOPPED : 1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
