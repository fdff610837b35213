package bridge.attack;

/**
 * The two quantiles that a certificate needs, to about twelve digits: of the normal and of the beta
 * distribution.
 */
final class Quantiles {
  private static final double[] NORMAL_MIDDLE = {
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
    4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
    1.3314166789178437745e2, 3.3871328727963666080
  };
  private static final double[] NORMAL_MIDDLE_BELOW = {
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
    2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
    4.2313330701600911252e1, 1
  };
  private static final double[] NORMAL_SIDE = {
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
    1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
    4.63033784615654529590, 1.42343711074968357734
  };
  private static final double[] NORMAL_SIDE_BELOW = {
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
    1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
    2.05319162663775882187, 1
  };
  private static final double[] NORMAL_TAIL = {
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
    2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
    5.46378491116411436990, 6.65790464350110377720
  };
  private static final double[] NORMAL_TAIL_BELOW = {
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
    7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
    5.99832206555887937690e-1, 1
  };

  /** 1/12, 1/360, …: Bernoulli's numbers in Stirling's series for ln Γ. */
  private static final double[] STIRLING = {
    -691.0 / 360360, 1.0 / 1188, -1.0 / 1680, 1.0 / 1260, -1.0 / 360, 1.0 / 12
  };

  private static final int MOST_TERMS = 100_000;
  private static final double TINY = 1e-300;

  private Quantiles() {}

  /**
   * Φ⁻¹(p), by the rational functions of Wichura's algorithm AS 241 (1988).
   *
   * @param p from 0 to 1; the ends give infinities
   */
  static double normal(double p) {
    double middle = p - 0.5;
    if (Math.abs(middle) <= 0.425) {
      double r = 0.180625 - middle * middle;
      return middle * polynomial(NORMAL_MIDDLE, r) / polynomial(NORMAL_MIDDLE_BELOW, r);
    }
    double tail = Math.min(p, 1 - p);
    if (!(tail > 0)) {
      return middle * Double.POSITIVE_INFINITY;
    }
    double r = Math.sqrt(-Math.log(tail));
    double x =
        r <= 5
            ? polynomial(NORMAL_SIDE, r - 1.6) / polynomial(NORMAL_SIDE_BELOW, r - 1.6)
            : polynomial(NORMAL_TAIL, r - 5) / polynomial(NORMAL_TAIL_BELOW, r - 5);
    return Math.copySign(x, middle);
  }

  /** The coefficient of the highest power stands first. */
  private static double polynomial(double[] coefficients, double x) {
    double sum = 0;
    for (double c : coefficients) {
      sum = sum * x + c;
    }
    return sum;
  }

  /**
   * Clopper and Pearson's one-sided lower bound (1934) of a share of which {@code successes} of
   * {@code trials} were drawn: it is below the true share with probability 1 − alpha or more.
   */
  static double lowerBound(int successes, int trials, double alpha) {
    return successes == 0 ? 0 : beta(alpha, successes, trials - successes + 1.0);
  }

  /** Where the beta distribution's function is p, found by halving. */
  static double beta(double p, double a, double b) {
    double low = 0;
    double high = 1;
    for (double x = 0.5; x > low && x < high; x = (low + high) / 2) {
      if (incompleteBeta(x, a, b) < p) {
        low = x;
      } else {
        high = x;
      }
    }
    return high;
  }

  /** The beta distribution's function I_x(a, b). */
  private static double incompleteBeta(double x, double a, double b) {
    double front =
        Math.exp(
            logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
    return x < (a + 1) / (a + b + 2)
        ? front / (a * fraction(x, a, b))
        : 1 - front / (b * fraction(1 - x, b, a));
  }

  /** The continued fraction of I_x(a, b), from its first term on (Lentz's method). */
  private static double fraction(double x, double a, double b) {
    double value = 1;
    double above = 1;
    double below = 0;
    for (int i = 1; i <= MOST_TERMS; i++) {
      int m = i / 2;
      double term =
          i % 2 == 0
              ? m * (b - m) * x / ((a + 2.0 * m - 1) * (a + 2.0 * m))
              : -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1));
      below = 1 / away(1 + term * below);
      above = away(1 + term / above);
      double factor = above * below;
      value *= factor;
      if (Math.abs(factor - 1) < 1e-15) {
        return value;
      }
    }
    throw new IllegalStateException("I_%s(%s, %s) does not converge".formatted(x, a, b));
  }

  private static double away(double value) {
    return Math.abs(value) < TINY ? TINY : value;
  }

  /** ln Γ(x) for x above 0, by Stirling's series beyond 15. */
  private static double logGamma(double x) {
    double shifted = x;
    double product = 1;
    while (shifted < 15) {
      product *= shifted;
      shifted++;
    }
    double series = polynomial(STIRLING, 1 / (shifted * shifted)) / shifted;
    return (shifted - 0.5) * Math.log(shifted)
        - shifted
        + 0.5 * Math.log(2 * Math.PI)
        + series
        - Math.log(product);
  }
}
