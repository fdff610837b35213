package bridge.cli;

import bridge.report.Progress;
import java.util.function.BiConsumer;

/** How far an evaluation is, on a line that redraws itself; silent where there is no terminal. */
final class EvaluationLine implements AutoCloseable {
  private static final String ERASE = "\r\u001b[K";

  private final boolean shown = Progress.onTerminal() && !"dumb".equals(System.getenv("TERM"));

  /** Draws what is done of so many images of each attack. */
  BiConsumer<String, Integer> of(int images) {
    return (attack, done) -> {
      if (shown) {
        System.out.print(ERASE + "%s  %d/%d images".formatted(attack, done, images));
        System.out.flush();
      }
    };
  }

  /** Takes the line away; it comes back with what is done next. */
  void erase() {
    if (shown) {
      System.out.print(ERASE);
      System.out.flush();
    }
  }

  @Override
  public void close() {
    erase();
  }
}
