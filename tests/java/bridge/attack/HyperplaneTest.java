package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The shortest moves onto a plane, against a plain bisection in double precision, for L1 pixel
 * after pixel.
 */
class HyperplaneTest {
  private static final int ROWS = 200;
  private static final int PIXELS = 60;

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** The pixels that matter most go as far as there is room, until the plane is reached. */
  private static double[] inTurn(double[] point, double[] normal, double gap) {
    double[] move = new double[point.length];
    double[] all = move(Norm.LINF, point, normal, gap, 1);
    double missing = Math.abs(gap);
    Integer[] order = IntStream.range(0, point.length).boxed().toArray(Integer[]::new);
    Arrays.sort(order, Comparator.comparingDouble(j -> -Math.abs(normal[j])));
    for (int j : order) {
      if (normal[j] != 0) {
        double go = Math.min(Math.abs(all[j]), missing / Math.abs(normal[j]));
        move[j] = Math.signum(all[j]) * go;
        missing = Math.max(0, missing - go * Math.abs(normal[j]));
      }
    }
    return move;
  }

  /** One point's move to the plane, pixel by pixel; all the room there is if it is out of reach. */
  private static double[] exact(Norm norm, double[] point, double[] normal, double gap) {
    return norm == Norm.L1 ? inTurn(point, normal, gap) : bisected(norm, point, normal, gap);
  }

  private static double[] bisected(Norm norm, double[] point, double[] normal, double gap) {
    double low = 0;
    double high = 1e9;
    for (int i = 0; i < 200; i++) {
      double middle = (low + high) / 2;
      double reached = 0;
      double[] move = move(norm, point, normal, gap, middle);
      for (int j = 0; j < point.length; j++) {
        reached += move[j] * normal[j];
      }
      if (Math.abs(reached) < Math.abs(gap)) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return move(norm, point, normal, gap, high);
  }

  private static double[] move(
      Norm norm, double[] point, double[] normal, double gap, double lambda) {
    double[] move = new double[point.length];
    for (int j = 0; j < point.length; j++) {
      double way = -Math.signum(normal[j]) * (gap >= 0 ? 1 : -1);
      double room = way > 0 ? 1 - point[j] : point[j];
      double wish = norm == Norm.LINF ? lambda : lambda * Math.abs(normal[j]);
      move[j] = way * Math.min(wish, room);
    }
    return move;
  }

  private static double[] row(Tensor of, int p, int n) {
    return of.select(0, p).select(0, n).toDoubles();
  }

  @ParameterizedTest
  @CsvSource({"LINF, true", "L2, true", "L1, true", "LINF, false", "L2, false"})
  void movesAreTheShortestInTheCube(Norm norm, boolean looks) {
    long seed = System.nanoTime();
    Tensor points = Samples.random(seed, 2, ROWS, PIXELS);
    Tensor normal = Tensor.randn(Samples.noise(seed + 1), Device.CPU, ROWS, PIXELS);
    normal = normal.mul(normal.abs().gt(0.2).to(normal.dtype())); // some pixels do not matter
    // from next to the plane to far beyond what the cube lets reach
    Tensor gap = Tensor.uniform(-2, 2, Samples.noise(seed + 2), Device.CPU, 2, ROWS, 1);
    gap = gap.mul(gap).mul(gap).mul(4);
    Tensor moves = Hyperplane.moves(norm, points, normal, gap, looks);
    int outOfReach = 0;
    for (int p = 0; p < 2; p++) {
      for (int n = 0; n < ROWS; n++) {
        double[] w = normal.select(0, n).toDoubles();
        double g = row(gap, p, n)[0];
        double[] expected = exact(norm, row(points, p, n), w, g);
        double reached = 0;
        for (int j = 0; j < PIXELS; j++) {
          reached -= expected[j] * w[j];
        }
        outOfReach += Math.abs(reached - g) > 1e-6 ? 1 : 0;
        String what = "point %d of row %d, seed %d".formatted(p, n, seed);
        assertArrayEquals(expected, row(moves, p, n), 2e-5, what);
      }
    }
    int far = outOfReach;
    assertTrue(far > 5 && far < ROWS, () -> "no good example: out of reach " + far);
  }

  @ParameterizedTest
  @EnumSource(Norm.class)
  void thereIsNoWayWithoutANormalAndNoneToGoOnThePlane(Norm norm) {
    Tensor points = Samples.random(1, 1, 3, 5);
    Tensor zero = points.select(0, 0).zerosLike();
    Tensor gap = Tensor.of(new float[] {-1, 0, 2}, 1, 3, 1);
    float[] still = new float[15];
    assertArrayEquals(still, absolute(Hyperplane.moves(norm, points, zero, gap)));
    Tensor normal = Tensor.randn(Samples.noise(2), Device.CPU, 3, 5);
    assertArrayEquals(still, absolute(Hyperplane.moves(norm, points, normal, gap.zerosLike())));
  }

  private static float[] absolute(Tensor of) {
    return of.abs().toFloats();
  }

  @Test
  void scaleDoesNotMatter() {
    Tensor points = Samples.random(3, 1, 4, 9);
    Tensor normal = Tensor.randn(Samples.noise(4), Device.CPU, 4, 9);
    Tensor gap = Tensor.of(new float[] {-1, 0.5f, 1.5f, -0.01f}, 1, 4, 1);
    for (Norm norm : Norm.values()) {
      float[] plain = Hyperplane.moves(norm, points, normal, gap).toFloats();
      for (double scale : new double[] {1e-20, 1e-8, 1e6}) {
        float[] scaled =
            Hyperplane.moves(norm, points, normal.mul(scale), gap.mul(scale)).toFloats();
        assertArrayEquals(plain, scaled, 1e-5f, norm + " times " + scale);
      }
    }
  }
}
