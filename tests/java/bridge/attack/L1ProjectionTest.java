package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The nearest point of an L1 ball and [0, 1], against a plain search in double precision. */
class L1ProjectionTest {
  private static final int ROWS = 60;
  private static final int SIZE = 9;
  private static final int PIXELS = 2 * SIZE * SIZE;

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /**
   * Tries every place where a pixel begins or ends to get shorter, and between the right two of
   * them it is a straight line.
   */
  private static double[] exact(double[] point, double[] image, double epsilon, boolean box) {
    double[] length = new double[point.length];
    double[] room = new double[point.length];
    for (int i = 0; i < point.length; i++) {
      double delta = point[i] - image[i];
      length[i] = Math.abs(delta);
      double most = delta > 0 ? 1 - image[i] : image[i];
      room[i] = box ? Math.min(most, length[i]) : length[i];
    }
    double[] places = new double[2 * point.length + 1];
    for (int i = 0; i < point.length; i++) {
      places[2 * i] = length[i];
      places[2 * i + 1] = length[i] - room[i];
    }
    Arrays.sort(places);
    double lambda = 0;
    for (double place : places) {
      if (sum(length, room, place) >= epsilon) {
        lambda = place;
      }
    }
    double over = sum(length, room, lambda) - epsilon;
    int moving = 0;
    for (int i = 0; i < point.length; i++) {
      // those that get shorter right after this place
      moving += length[i] > lambda && length[i] - room[i] <= lambda ? 1 : 0;
    }
    if (over > 0 && moving > 0) {
      lambda += over / moving;
    }
    double[] nearest = new double[point.length];
    for (int i = 0; i < point.length; i++) {
      double kept = Math.clamp(length[i] - lambda, 0, room[i]);
      nearest[i] = image[i] + Math.signum(point[i] - image[i]) * kept;
    }
    return nearest;
  }

  private static double sum(double[] length, double[] room, double lambda) {
    double sum = 0;
    for (int i = 0; i < length.length; i++) {
      sum += Math.clamp(length[i] - lambda, 0, room[i]);
    }
    return sum;
  }

  /** Points from next to the images to far away, an image and a point in every row. */
  private static Tensor points(Tensor images, long seed) {
    Tensor noise = Tensor.randn(Samples.noise(seed), Device.CPU, images.sizes());
    Tensor far = Tensor.uniform(-4, 1.5, Samples.noise(seed + 1), Device.CPU, ROWS, 1, 1, 1).exp();
    // some pixels are those of the image
    Tensor some = Tensor.uniform(0, 1, Samples.noise(seed + 2), Device.CPU, images.sizes()).gt(0.3);
    return images.add(noise.mul(far).mul(some.to(images.dtype())));
  }

  @ParameterizedTest
  @CsvSource({
    "0.01, true", "1, true", "12, true", "60, true",
    "0.01, false", "1, false", "12, false", "60, false"
  })
  void thePointIsTheNearest(double epsilon, boolean looks) {
    long seed = System.nanoTime();
    Tensor images = Samples.random(seed, ROWS, 2, SIZE, SIZE);
    Tensor points = points(images, seed + 1);
    Tensor near = L1Projection.allowed(points, images, epsilon, looks);
    Tensor within = L1Projection.within(points, images, epsilon, looks);
    int moved = 0;
    for (int n = 0; n < ROWS; n++) {
      String what = "row %d, seed %d".formatted(n, seed);
      double[] image = images.select(0, n).toDoubles();
      double[] point = points.select(0, n).toDoubles();
      double[] expected = exact(point, image, epsilon, true);
      assertArrayEquals(expected, near.select(0, n).toDoubles(), 1e-5, what);
      double[] plain = exact(point, image, epsilon, false);
      assertArrayEquals(plain, within.select(0, n).toDoubles(), 1e-5, what);
      moved += Arrays.equals(expected, point) ? 0 : 1;
    }
    int changed = moved;
    assertTrue(changed > 10, () -> "no good example: %d points moved".formatted(changed));
    double longest = new Ball(Norm.L1, epsilon).lengths(near.sub(images)).max().item();
    assertTrue(longest <= epsilon * (1 + 1e-5) + 1e-6, () -> longest + ", seed " + seed);
    assertTrue(near.min().item() >= 0 && near.max().item() <= 1, () -> "seed " + seed);
  }

  /** Of random points that are allowed none is nearer. */
  @Test
  void nothingAllowedIsNearer() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    Tensor images = Samples.random(seed, ROWS, 2, SIZE, SIZE);
    Tensor points = points(images, seed + 1);
    double epsilon = 5;
    Tensor near = L1Projection.allowed(points, images, epsilon);
    for (int n = 0; n < ROWS; n++) {
      double[] image = images.select(0, n).toDoubles();
      double[] point = points.select(0, n).toDoubles();
      double[] nearest = near.select(0, n).toDoubles();
      double best = distance(point, nearest);
      for (int i = 0; i < 200; i++) {
        double[] other = nearest.clone();
        double reach = Math.pow(10, -4 * random.nextDouble());
        double sum = 0;
        for (int j = 0; j < PIXELS; j++) {
          double step = random.nextInt(8) == 0 ? reach * random.nextGaussian() : 0;
          other[j] = Math.clamp(other[j] + step, 0, 1);
          sum += Math.abs(other[j] - image[j]);
        }
        double shrink = Math.min(1, epsilon / sum);
        for (int j = 0; j < PIXELS; j++) {
          other[j] = image[j] + shrink * (other[j] - image[j]);
        }
        double there = distance(point, other);
        assertTrue(there >= best - 1e-5, () -> "%s, then %s, seed %d".formatted(best, there, seed));
      }
    }
  }

  private static double distance(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(sum);
  }

  /** And those that go back to the image are it, to the last digit. */
  @Test
  void whatIsAllowedStays() {
    Tensor images = Samples.random(3, 4, 1, 6, 6);
    Tensor inside = images.copy();
    inside.narrow(3, 0, 1).zero_().add_(0.5);
    float[] projected = L1Projection.allowed(inside, images, 5).toFloats();
    assertArrayEquals(inside.toFloats(), projected, 1e-7f);
    assertArrayEquals(images.toFloats(), L1Projection.allowed(images, images, 5).toFloats());
    Tensor far = images.add(Tensor.randn(Samples.noise(4), Device.CPU, 4, 1, 6, 6));
    Tensor near = L1Projection.allowed(far, images, 1);
    long same = near.eq(images).sum().itemLong();
    assertTrue(same > 100 && same < 144, () -> same + " of 144 pixels");
    assertArrayEquals(images.toFloats(), L1Projection.allowed(far, images, 0).toFloats());
  }

  @Test
  void onePixelIsEnough() {
    Tensor images = Tensor.of(new float[] {0.25f, 0.5f}, 2, 1, 1, 1);
    Tensor far = Tensor.of(new float[] {-3, 7}, 2, 1, 1, 1);
    assertArrayEquals(
        new float[] {0, 0.8f}, L1Projection.allowed(far, images, 0.3).toFloats(), 1e-6f);
    assertEquals(2, L1Projection.allowed(far, images, 9).sum().item() + 1, 1e-6);
  }
}
