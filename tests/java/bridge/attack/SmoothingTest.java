package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.attack.Smoothing.Certificate;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Certificates, and the two quantiles they rest on. */
class SmoothingTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** Values of scipy.stats.norm.ppf (SciPy 1.17). */
  @ParameterizedTest
  @CsvSource({
    "1e-300, -37.0470962993612",
    "1e-10, -6.361340902404056",
    "0.001, -3.090232306167813",
    "0.025, -1.9599639845400545",
    "0.3, -0.5244005127080409",
    "0.5, 0",
    "0.6, 0.2533471031357997",
    "0.975, 1.959963984540054",
    "0.999, 3.090232306167813",
    "0.9999999999, 6.361340889697422",
    "0, -Infinity",
    "1, Infinity"
  })
  void normalQuantileIsScipys(double p, double expected) {
    assertEquals(expected, Quantiles.normal(p), 1e-13 * Math.max(1, Math.abs(expected)));
  }

  /** Values of scipy.stats.beta.ppf(alpha, k, n − k + 1) (SciPy 1.17). */
  @ParameterizedTest
  @CsvSource({
    "0, 100, 0.001, 0",
    "1, 1, 0.001, 0.001",
    "1, 100, 0.001, 1.0004953285956376e-05",
    "5, 10, 0.05, 0.2224411010081294",
    "51, 100, 0.05, 0.4234106513021929",
    "99, 100, 0.001, 0.9113731112960424",
    "100, 100, 0.001, 0.933254300796991",
    "990, 1000, 0.001, 0.9760361871553114",
    "50200, 100000, 0.001, 0.4971089478057898",
    "60000, 100000, 0.001, 0.5952010472945846",
    "99000, 100000, 0.001, 0.9889893403774748",
    "100000, 100000, 0.001, 0.9999309248330094"
  })
  void lowerBoundIsScipys(int successes, int trials, double alpha, double expected) {
    assertEquals(expected, Quantiles.lowerBound(successes, trials, alpha), 1e-11 * expected);
  }

  /** Logits 0 and Σx − c: the distance of an image to the plane is |Σx − c| / √pixels. */
  private static LinearNetwork sum(int pixels, float threshold) {
    float[] weight = new float[2 * pixels];
    Arrays.fill(weight, pixels, 2 * pixels, 1);
    return new LinearNetwork(
        Tensor.of(weight, 2, pixels), Tensor.of(new float[] {0, -threshold}, 2));
  }

  @Test
  void radiusOfALinearClassifierIsTheDistanceOfItsPlane() {
    // class 1 above a sum of 2; the sums are 2.8, 2.4, 1.6 and 2
    Tensor images =
        Tensor.of(
            new float[] {
              0.7f, 0.7f, 0.7f, 0.7f, 0.6f, 0.6f, 0.6f, 0.6f, 0.4f, 0.4f, 0.4f, 0.4f, 0.5f, 0.5f,
              0.5f, 0.5f
            },
            4,
            1,
            2,
            2);
    List<Certificate> all =
        new Smoothing(0.5, 100, 4000, 0.001, 1000).certify(sum(4, 2), images, Samples.noise(11));
    assertEquals(
        List.of(1, 1, 0), all.subList(0, 3).stream().map(Certificate::prediction).toList());
    double[] distances = {0.4, 0.2, 0.2};
    for (int i = 0; i < 3; i++) {
      double radius = all.get(i).radius();
      assertTrue(radius <= distances[i], "image %d: %s".formatted(i, radius));
      assertEquals(distances[i], radius, 0.08, "image " + i);
    }
    // half of the draws on either side
    assertEquals(new Certificate(Smoothing.ABSTAINS, 0), all.get(3));
  }

  @Test
  void unanimousDrawsGiveTheLargestRadiusThatSoManyCanGive() {
    Tensor images = Tensor.full(0.9, DType.FLOAT32, Device.CPU, 2, 1, 2, 2);
    List<Certificate> all =
        new Smoothing(0.01, 10, 100, 0.001, 7).certify(sum(4, 2), images, Samples.noise(1));
    // 0.001^(1/100) = 0.93325, whose normal quantile is 1.50055
    assertEquals(2, all.size());
    assertEquals(1, all.get(0).prediction());
    assertEquals(0.0150055, all.get(0).radius(), 1e-6);
    assertEquals(all.get(0), all.get(1));
  }

  @Test
  void theSeedAloneMakesTheResult() {
    Tensor images = Samples.random(3, 3, 1, 2, 2);
    LinearNetwork network = sum(4, 2);
    Smoothing smoothing = new Smoothing(0.5, 20, 200, 0.01, 50);
    List<Certificate> one = smoothing.certify(network, images, Samples.noise(2));
    Generator noise = Samples.noise(2);
    long alive = Scope.alive();
    assertEquals(one, smoothing.certify(network, images, noise));
    assertEquals(alive, Scope.alive());
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 1, 0.1, 1",
    "1, 0, 1, 0.1, 1",
    "1, 1, 0, 0.1, 1",
    "1, 1, 1, 0, 1",
    "1, 1, 1, 0.1, 0"
  })
  void wrongSettingsAreRefused(double sigma, int n0, int n, double alpha, int batch) {
    UsageException e =
        assertThrows(UsageException.class, () -> new Smoothing(sigma, n0, n, alpha, batch));
    assertTrue(e.getMessage().startsWith("smoothing needs"), e::getMessage);
  }
}
