package bridge.attack;

import java.util.Locale;

/** How a perturbation is measured: largest change of a pixel, Euclidean length, or all changes. */
public enum Norm {
  LINF,
  L2,
  /** The sum of all changes. Attacks without a published form of it refuse it. */
  L1;

  /** As the command line says it: {@code linf}. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
