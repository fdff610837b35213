package bridge.attack;

/** What the {@link Square} attack draws into its squares in L2 and L1. */
final class SquareBumps {
  private SquareBumps() {}

  /**
   * Two bumps of opposite sign, one above the other, each falling off from its middle in concentric
   * squares, and in L1 faster; length 1, Euclidean or in L1.
   */
  static float[] of(Norm norm, int side) {
    double[] all = new double[side * side];
    int upper = side / 2;
    bump(norm, all, side, 0, upper, 1);
    bump(norm, all, side, upper, side, -1);
    double length = length(norm, all, 0, all.length);
    float[] bumps = new float[all.length];
    for (int i = 0; i < all.length; i++) {
      bumps[i] = (float) (all[i] / length);
    }
    return bumps;
  }

  private static double length(Norm norm, double[] of, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += norm == Norm.L1 ? Math.abs(of[i]) : of[i] * of[i];
    }
    return norm == Norm.L1 ? sum : Math.sqrt(sum);
  }

  /** One bump of length 1 over all columns and these rows. */
  private static void bump(Norm norm, double[] into, int side, int from, int to, int sign) {
    int rows = to - from;
    int middle = side / 2;
    int rings = Math.max(rows / 2, middle) + 1;
    double[] height = new double[rings + 1];
    for (int k = rings - 1; k >= 0; k--) {
      height[k] = height[k + 1] + Math.pow(k + 1, norm == Norm.L1 ? -4 : -2);
    }
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < side; j++) {
        int ring = Math.max(Math.abs(i - rows / 2), Math.abs(j - middle));
        into[(from + i) * side + j] = height[ring];
      }
    }
    double length = length(norm, into, from * side, to * side);
    for (int i = from * side; i < to * side; i++) {
      into[i] *= sign / length;
    }
  }
}
