package bridge.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;

/**
 * Curves in one drawing, as inline SVG under a heading and a legend. The page's style sheet gives
 * the colours, by the classes {@code s0} to {@code s7}.
 *
 * @param across what the horizontal axis measures: steps or epochs, ε, an accuracy
 * @param scale what kind of numbers those are
 * @param percent whether the values are shares in [0, 1], shown as percentages
 */
record Chart(String title, String across, Scale scale, boolean percent, List<Series> series) {
  private static final int COLOURS = 8;
  private static final int MOST_POINTS = 400;
  private static final int MOST_DOTS = 60;

  private static final double WIDTH = 560;
  private static final double HEIGHT = 250;
  private static final double LEFT = 50;
  private static final double RIGHT = WIDTH - 20;
  private static final double TOP = 10;
  private static final double BOTTOM = HEIGHT - 34;

  /** What stands along the horizontal axis. */
  enum Scale {
    WHOLE,
    NUMBER,
    /** Shares in [0, 1], shown as percentages. */
    PERCENT
  }

  /** Over whole numbers. */
  Chart(String title, String across, boolean percent, List<Series> series) {
    this(title, across, Scale.WHOLE, percent, series);
  }

  /**
   * One curve. Where {@code y} is not finite it has a gap.
   *
   * @param x rising
   */
  record Series(String name, double[] x, double[] y) {
    /** Points whose place is unknown are left out; of very many, neighbours are averaged. */
    static Series of(String name, List<double[]> points) {
      List<double[]> placed = points.stream().filter(p -> Double.isFinite(p[0])).toList();
      int size = Math.min(placed.size(), MOST_POINTS);
      double[] x = new double[size];
      double[] y = new double[size];
      for (int i = 0; i < size; i++) {
        int from = (int) ((long) i * placed.size() / size);
        int to = (int) ((long) (i + 1) * placed.size() / size);
        List<double[]> bucket = placed.subList(from, to);
        x[i] = bucket.getLast()[0];
        y[i] =
            bucket.stream()
                .mapToDouble(p -> p[1])
                .filter(Double::isFinite)
                .average()
                .orElse(Double.NaN);
      }
      return new Series(name, x, y);
    }

    Series named(String other) {
      return new Series(other, x, y);
    }

    private DoubleStream finite() {
      return Arrays.stream(y).filter(Double::isFinite);
    }

    private double last() {
      return finite().reduce(Double.NaN, (before, next) -> next);
    }
  }

  /** A figure element; empty if there is nothing to draw. */
  String html() {
    List<Series> drawn = series.stream().filter(s -> s.finite().findAny().isPresent()).toList();
    if (drawn.isEmpty()) {
      return "";
    }
    StringBuilder html = new StringBuilder("<figure>\n");
    html.append("<figcaption>").append(Html.escape(title)).append("</figcaption>\n");
    html.append("<p class=\"legend\">");
    for (int i = 0; i < drawn.size(); i++) {
      html.append(
          "<span class=\"s%d\">%s <b>%s</b></span> "
              .formatted(i % COLOURS, Html.escape(drawn.get(i).name), value(drawn.get(i).last())));
    }
    html.append("</p>\n");
    html.append(svg(drawn));
    return html.append("</figure>\n").toString();
  }

  private String svg(List<Series> drawn) {
    double[] places = drawn.stream().flatMapToDouble(s -> Arrays.stream(s.x)).toArray();
    Axis x = scale == Scale.WHOLE ? Axis.across(places) : Axis.around(places);
    Axis y = Axis.up(drawn.stream().flatMapToDouble(Series::finite).toArray());
    StringBuilder svg = new StringBuilder();
    svg.append(
        "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s by %s\">\n"
            .formatted(WIDTH, HEIGHT, Html.escape(title), Html.escape(across)));
    for (double tick : y.ticks()) {
      double at = y.place(tick, BOTTOM, TOP);
      String text = percent ? NumberText.number(100 * tick) + " %" : NumberText.number(tick);
      svg.append(
          format(
              "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" />\n",
              LEFT, at, RIGHT, at));
      svg.append(
          format("<text class=\"up\" x=\"%.1f\" y=\"%.1f\">", LEFT - 8, at + 4)
              + text
              + "</text>\n");
    }
    for (double tick : x.ticks()) {
      svg.append(
          format(
              "<text class=\"across\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
              x.place(tick, LEFT, RIGHT), BOTTOM + 16, place(tick)));
    }
    svg.append(format("<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", RIGHT, HEIGHT - 3));
    svg.append(Html.escape(across)).append("</text>\n");
    for (int i = 0; i < drawn.size(); i++) {
      svg.append("<g class=\"s%d\">\n".formatted(i % COLOURS));
      svg.append(curve(drawn.get(i), x, y)).append("</g>\n");
    }
    return svg.append("</svg>\n").toString();
  }

  private String curve(Series curve, Axis x, Axis y) {
    StringBuilder path = new StringBuilder();
    StringBuilder dots = new StringBuilder();
    boolean down = false;
    for (int i = 0; i < curve.x.length; i++) {
      if (!Double.isFinite(curve.y[i])) {
        down = false;
        continue;
      }
      double px = x.place(curve.x[i], LEFT, RIGHT);
      double py = y.place(curve.y[i], BOTTOM, TOP);
      path.append(format(down ? "L%.1f %.1f" : "M%.1f %.1f", px, py));
      down = true;
      if (curve.x.length <= MOST_DOTS) {
        double radius = curve.x.length == 1 ? 4 : 2.5;
        dots.append(format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>", px, py, radius));
        dots.append(Html.escape(curve.name + ", " + across));
        dots.append(" ").append(place(curve.x[i])).append(": ").append(value(curve.y[i]));
        dots.append("</title></circle>\n");
      }
    }
    return "<path d=\"" + path + "\" />\n" + dots;
  }

  private String place(double x) {
    return switch (scale) {
      case WHOLE -> format("%.0f", x);
      case NUMBER -> NumberText.number(x);
      case PERCENT -> NumberText.number(100 * x) + " %";
    };
  }

  private String value(double value) {
    return percent ? NumberText.percent(value) : NumberText.number(value);
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** A scale with ticks at round numbers. */
  private record Axis(double from, double to, double tick) {
    /** Whole numbers, from the first to the last. */
    private static Axis across(double[] values) {
      double from = Arrays.stream(values).min().orElse(0);
      double to = Arrays.stream(values).max().orElse(1);
      return new Axis(from, Math.max(to, from + 1), Math.max(1, round((to - from) / 6)));
    }

    /** From a tick that no value is below to one that none exceeds. */
    private static Axis around(double[] values) {
      double least = Arrays.stream(values).min().orElse(0);
      double most = Arrays.stream(values).max().orElse(1);
      double tick = round(most > least ? (most - least) / 5 : Math.abs(most) / 5);
      double from = Math.floor(least / tick + 1e-9) * tick;
      return new Axis(from, Math.max(from + tick, Math.ceil(most / tick - 1e-9) * tick), tick);
    }

    /** From zero, or below, to a tick that no value exceeds: so heights can be compared. */
    private static Axis up(double[] values) {
      double least = Math.min(0, Arrays.stream(values).min().orElse(0));
      double most = Math.max(0, Arrays.stream(values).max().orElse(0));
      double tick = round(most > least ? (most - least) / 5 : 0.2);
      return new Axis(
          Math.floor(least / tick + 1e-9) * tick,
          Math.max(tick, Math.ceil(most / tick - 1e-9) * tick),
          tick);
    }

    /** The next of 1, 2 or 5 times a power of ten. */
    private static double round(double length) {
      if (length <= 0) {
        return 1;
      }
      double power = Math.pow(10, Math.floor(Math.log10(length)));
      return DoubleStream.of(1, 2, 5, 10)
              .filter(factor -> factor * power >= length * (1 - 1e-9))
              .findFirst()
              .orElse(10)
          * power;
    }

    private List<Double> ticks() {
      List<Double> ticks = new ArrayList<>();
      for (long i = Math.round(Math.ceil(from / tick - 1e-9)); i * tick <= to + 1e-9 * tick; i++) {
        ticks.add(i * tick);
      }
      return ticks;
    }

    private double place(double value, double start, double end) {
      return start + (value - from) / (to - from) * (end - start);
    }
  }
}
