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

  @Override
  public void accept(String attack, Integer done) {
    if (shown) {
      System.out.print(ERASE + "%s  %d/%d images".formatted(attack, done, images));
      System.out.flush();
    }
  }

  @Override
  public void close() {
    if (shown) {
      System.out.print(ERASE);
      System.out.flush();
    }
  }
}
