package bridge.torch;

import java.time.Duration;

/**
 * Ends this process when the launcher that started it is killed, so that no training runs on
 * unseen.
 */
public final class ParentDeath {
  private static final long SIGKILL = 9;
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(500);

  private ParentDeath() {}

  /**
   * From now on this process dies with its parent. To be called by a thread that lives as long as
   * the process: the kernel forgets the wish when that thread ends.
   *
   * @param pid the parent, which may be dead already
   */
  public static void dieWithParent(long pid) {
    boolean signalled = CLibrary.signalOnParentDeath(SIGKILL);
    boolean stillChild =
        ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(-1L) == pid;
    if (!(signalled && stillChild)) {
      // No kernel that does it, a script in between, or the parent died before the kernel was
      // asked.
      watch(pid);
    }
  }

  private static void watch(long pid) {
    Thread.ofPlatform()
        .daemon()
        .name("parent-watch")
        .start(
            () -> {
              while (ProcessHandle.of(pid).isPresent()) {
                try {
                  Thread.sleep(BETWEEN_LOOKS);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                  return;
                }
              }
              Runtime.getRuntime().halt(137);
            });
  }
}
