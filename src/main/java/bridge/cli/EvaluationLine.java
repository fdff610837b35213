package bridge.cli;

import bridge.report.Progress;
import java.util.function.BiConsumer;

/** How far an evaluation is, on a line that redraws itself; silent where there is no terminal. */
final class EvaluationLine implements BiConsumer<String, Integer>, AutoCloseable {
  private static final String ERASE = "\r\u001b[K";

  private final int images;
  private final boolean shown = Progress.onTerminal() && !"dumb".equals(System.getenv("TERM"));

  /**
   * @param images of each attack
   */
  EvaluationLine(int images) {
    this.images = images;
  }

  /** The same line for another number of images. */
  EvaluationLine of(int others) {
    return new EvaluationLine(others);
  }

  @Override
  public void accept(String attack, Integer done) {
    if (shown) {
      System.out.print(ERASE + "%s  %d/%d images".formatted(attack, done, images));
      System.out.flush();
    }
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
