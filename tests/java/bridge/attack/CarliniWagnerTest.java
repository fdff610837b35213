package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.loss.Losses;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The smallest change against a linear classifier is known: (z_y − z_j) / ‖w_y − w_j‖. */
class CarliniWagnerTest {
  private static final int IMAGES = 6;
  private static final int PIXELS = 25;
  private static final int CLASSES = 4;
  private static final Ball BALL = new Ball(Norm.L2, 1);

  private Scope scope;
  private LinearNetwork network;
  private Tensor images;
  private Tensor labels;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    network =
        new LinearNetwork(
            Tensor.randn(Samples.noise(1), Device.CPU, CLASSES, PIXELS),
            Tensor.randn(Samples.noise(2), Device.CPU, CLASSES).mul(0.1));
    // in the middle of the range, so that its ends are not in the way
    images = Tensor.uniform(0.4, 0.6, Samples.noise(3), Device.CPU, IMAGES, 1, 5, 5);
    labels = network.logits(images).argmax(1);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static CarliniWagner attack(int searches, double confidence) {
    return new CarliniWagner(BALL, searches, 150, 0.02, confidence, 0.1);
  }

  /** Distances to the plane on which a class is as good as the label: [IMAGES][CLASSES]. */
  private double[][] planes(double ahead) {
    float[] w = network.parameters().get("weight").toFloats();
    float[] z = network.logits(images).toFloats();
    long[] y = labels.toLongs();
    double[][] planes = new double[IMAGES][CLASSES];
    for (int i = 0; i < IMAGES; i++) {
      for (int j = 0; j < CLASSES; j++) {
        double length = 0;
        for (int k = 0; k < PIXELS; k++) {
          length += Math.pow(w[(int) y[i] * PIXELS + k] - w[j * PIXELS + k], 2);
        }
        double gap = z[i * CLASSES + (int) y[i]] - z[i * CLASSES + j] + ahead;
        planes[i][j] = j == y[i] ? Double.POSITIVE_INFINITY : gap / Math.sqrt(length);
      }
    }
    return planes;
  }

  @ParameterizedTest
  @CsvSource({"7, 0", "10, 0", "7, 0.5"})
  void theNearestWrongImageIsFound(int searches, double confidence) {
    CarliniWagner.Found found = attack(searches, confidence).away(network, images, labels);
    double[] distances = found.distances().toDoubles();
    double[][] planes = planes(confidence);
    double[] margin = Losses.margin(network.logits(found.images()), labels).toDoubles();
    for (int i = 0; i < IMAGES; i++) {
      double nearest = Arrays.stream(planes[i]).min().getAsDouble();
      assertEquals(nearest, distances[i], 0.03 * nearest, "image " + i);
      assertTrue(distances[i] >= nearest - 1e-5, "nearer than possible: image " + i);
      assertTrue(margin[i] < -confidence + 1e-5, "still right: image " + i);
    }
    double[] measured = found.images().sub(images).norm2Keep(1, 2, 3).toDoubles();
    assertArrayEquals(measured, distances, 1e-7);
  }

  @Test
  void theTargetIsReached() {
    long[] targets = Arrays.stream(labels.toLongs()).map(y -> (y + 1) % CLASSES).toArray();
    CarliniWagner.Found found =
        attack(9, 0).towards(network, images, Tensor.of(targets, targets.length));
    assertArrayEquals(targets, network.logits(found.images()).argmax(1).toLongs());
    double[] distances = found.distances().toDoubles();
    double[][] planes = planes(0);
    for (int i = 0; i < IMAGES; i++) {
      assertTrue(distances[i] >= planes[i][(int) targets[i]] - 1e-5, "image " + i);
    }
  }

  @Test
  void farOnesDoNotCountInTheBall() {
    double[] distances = attack(7, 0).away(network, images, labels).distances().toDoubles();
    double[] sorted = Arrays.stream(distances).sorted().toArray();
    double radius = (sorted[2] + sorted[3]) / 2;
    CarliniWagner within = new CarliniWagner(new Ball(Norm.L2, radius), 7, 150, 0.02, 0, 0.1);
    Tensor made = within.perturb(network, images, labels, Samples.noise(1)).images();
    double[] moved = made.sub(images).norm2Keep(1, 2, 3).toDoubles();
    for (int i = 0; i < IMAGES; i++) {
      assertEquals(distances[i] <= radius ? distances[i] : 0, moved[i], 1e-7);
    }
    assertEquals(3, Arrays.stream(moved).filter(m -> m == 0).count());
  }

  @Test
  void whatCannotBeFoundIsInfinitelyFar() {
    LinearNetwork sure =
        new LinearNetwork(
            Tensor.randn(Samples.noise(1), Device.CPU, CLASSES, PIXELS),
            Tensor.of(new float[] {100, 0, 0, 0}, CLASSES));
    Tensor zeros = Tensor.of(new long[IMAGES], IMAGES);
    CarliniWagner.Found found =
        new CarliniWagner(BALL, 3, 20, 0.01, 0, 0.1).away(sure, images, zeros);
    assertArrayEquals(images.toFloats(), found.images().toFloats());
    for (double distance : found.distances().toDoubles()) {
      assertEquals(Double.POSITIVE_INFINITY, distance);
    }
  }

  /** The batch an image is in does not change what is found for it. */
  @Test
  void everyImageIsSearchedForByItself() {
    CarliniWagner attack = new CarliniWagner(BALL, 3, 100, 0.02, 0, 0.1);
    double[] together = attack.away(network, images, labels).distances().toDoubles();
    for (int i = 0; i < IMAGES; i += 2) {
      Tensor one = images.narrow(0, i, 1);
      double[] alone = attack.away(network, one, labels.narrow(0, i, 1)).distances().toDoubles();
      assertEquals(together[i], alone[0], 0.02 * together[i]);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 0.1, 0, 1",
    "1, 0, 0.1, 0, 1",
    "1, 1, 0, 0, 1",
    "1, 1, 0.1, -1, 1",
    "1, 1, 0.1, 0, 0"
  })
  void wrongSettingsAreRefused(int searches, int iterations, double rate, double k, double c) {
    UsageException e =
        assertThrows(
            UsageException.class, () -> new CarliniWagner(BALL, searches, iterations, rate, k, c));
    assertTrue(e.getMessage().startsWith("cw-l2 needs 1 search"), e::getMessage);
  }

  @Test
  void theNormMustBeL2() {
    UsageException e =
        assertThrows(UsageException.class, () -> CarliniWagner.of(new Ball(Norm.LINF, 0.1), 1000));
    assertTrue(e.getMessage().contains("no published form in LINF; choose norm l2"), e::getMessage);
  }
}
