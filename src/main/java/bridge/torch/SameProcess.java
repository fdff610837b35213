package bridge.torch;

import java.util.List;

/** Another program in the place of this one: the same process id, files and terminal. */
public final class SameProcess {
  private SameProcess() {}

  /**
   * Ends this program and begins the other; returns only where that is not possible, and then
   * nothing has changed.
   *
   * @param command the executable's path, then its arguments; each char stands for a byte
   */
  public static void become(List<String> command) {
    CLibrary.execute(command);
  }
}
