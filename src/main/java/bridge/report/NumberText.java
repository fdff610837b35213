package bridge.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** Numbers as people read them, the same in every country. */
final class NumberText {
  private NumberText() {}

  /** At most four significant digits: {@code 0.1}, {@code 0.09511}, {@code 1e-05}. */
  static String number(double value) {
    if (value == 0 || !Double.isFinite(value)) {
      return value == 0 ? "0" : Double.toString(value);
    }
    if (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6) {
      return String.format(Locale.ROOT, "%.3e", value).replaceFirst("\\.?0+e", "e");
    }
    return new BigDecimal(value).round(new MathContext(4)).stripTrailingZeros().toPlainString();
  }

  /** The two largest units: {@code 42s}, {@code 2m13s}, {@code 1h05m}, {@code 2d03h}. */
  static String duration(double seconds) {
    long whole = Math.round(seconds);
    if (whole < 60) {
      return whole + "s";
    }
    if (whole < 3600) {
      return "%dm%02ds".formatted(whole / 60, whole % 60);
    }
    return whole < 86400
        ? "%dh%02dm".formatted(whole / 3600, whole % 3600 / 60)
        : "%dd%02dh".formatted(whole / 86400, whole % 86400 / 3600);
  }

  /** A share in [0, 1] with one place: {@code 81.2 %}. */
  static String percent(double share) {
    return Double.isFinite(share)
        ? String.format(Locale.ROOT, "%.1f %%", 100 * share)
        : Double.toString(share);
  }
}
