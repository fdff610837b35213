package bridge.train;

import java.util.List;

/**
 * A figure that was measured several times.
 *
 * @param low a quarter of the values lie below it
 * @param high a quarter of the values lie above it
 */
public record Spread(double low, double median, double high) {

  /** Of at least one value. */
  public static Spread of(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    return new Spread(quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75));
  }

  /** Between two values in the proportion of the distances. */
  private static double quantile(List<Double> sorted, double share) {
    double place = share * (sorted.size() - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.size() - 1);
    double part = place - below;
    return (1 - part) * sorted.get(below) + part * sorted.get(above);
  }
}
