package bridge.report;

import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What the progress line says, as text and nothing else.
 *
 * @param step inside the epoch, from 1 to {@code stepsPerEpoch}
 * @param terms the loss by name, the most important first
 * @param imagesPerSecond NaN while unknown
 * @param secondsLeft to the end of the last epoch; NaN while unknown
 */
record ProgressLine(
    int epoch,
    int epochs,
    long step,
    long stepsPerEpoch,
    Map<String, Double> terms,
    double learningRate,
    double imagesPerSecond,
    double secondsLeft) {
  private static final int LONGEST_BAR = 24;
  private static final int SHORTEST_BAR = 8;

  /**
   * How a terminal wants the bar.
   *
   * @param columns of the terminal; the last is left free, for some wrap when it is filled
   */
  record Style(int columns, boolean blocks, boolean colour) {
    static Style of(Map<String, String> environment, Charset charset) {
      String columns = environment.getOrDefault("COLUMNS", "");
      return new Style(
          columns.matches("[1-9]\\d{0,4}") ? Integer.parseInt(columns) : 80,
          charset.newEncoder().canEncode("█░"),
          environment.getOrDefault("NO_COLOR", "").isEmpty());
    }
  }

  /** One line for a file or a pipe. */
  String plain() {
    List<String> parts = new ArrayList<>();
    parts.add("epoch %d/%d".formatted(epoch, epochs));
    parts.add("step %d/%d".formatted(step, stepsPerEpoch));
    parts.addAll(loss());
    parts.add("lr " + NumberText.number(learningRate));
    parts.addAll(pace(" images/s"));
    return String.join("  ", parts);
  }

  /** One line that fits the terminal: first the bar shrinks, then the last loss terms go. */
  String bar(Style style) {
    int width = style.columns() - 1;
    String head = "epoch %d/%d ".formatted(epoch, epochs);
    String count = " %d/%d".formatted(step, stepsPerEpoch);
    List<String> pace = new ArrayList<>(List.of("lr " + NumberText.number(learningRate)));
    pace.addAll(pace(" img/s"));
    List<String> terms = loss();
    while (true) {
      List<String> parts = new ArrayList<>(terms);
      parts.addAll(pace);
      String tail = parts.isEmpty() ? "" : "  " + String.join("  ", parts);
      int room = width - head.length() - count.length() - tail.length();
      if (room >= SHORTEST_BAR) {
        return head + drawn(Math.min(room, LONGEST_BAR), style) + count + tail;
      }
      if (!terms.isEmpty()) {
        terms.removeLast();
      } else if (!pace.isEmpty()) {
        pace.removeFirst();
      } else {
        String bare = head.strip() + count;
        return bare.substring(0, Math.clamp(width, 0, bare.length()));
      }
    }
  }

  private String drawn(int cells, Style style) {
    int full = Math.clamp(cells * step / Math.max(1, stepsPerEpoch), 0, cells);
    String done = (style.blocks() ? "█" : "#").repeat(full);
    String rest = (style.blocks() ? "░" : "-").repeat(cells - full);
    return style.colour() ? "\u001b[36m" + done + rest + "\u001b[0m" : done + rest;
  }

  private List<String> loss() {
    List<String> shown = new ArrayList<>();
    terms.forEach((name, value) -> shown.add(name + " " + steady(value)));
    return shown;
  }

  private List<String> pace(String unit) {
    List<String> shown = new ArrayList<>();
    if (imagesPerSecond >= 0) {
      String form = imagesPerSecond < 10 ? "%.1f" : "%.0f";
      shown.add(String.format(Locale.ROOT, form, imagesPerSecond) + unit);
    }
    if (secondsLeft >= 0) {
      shown.add(NumberText.duration(secondsLeft) + " left");
    }
    return shown;
  }

  /** Four places, so that a falling loss does not make the line jump. */
  private static String steady(double value) {
    return Math.abs(value) < 1000
        ? String.format(Locale.ROOT, "%.4f", value)
        : NumberText.number(value);
  }
}
