package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How many pixels the steps of APGD in L1 change, and how long they are. */
class SparseStepsTest {
  private static final double EPSILON = 3;
  private static final int PIXELS = 60;

  private Scope scope;
  private Tensor images;
  private Tensor gradient;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 2, 1, 6, 10);
    // 60, −59, 58, … the same in both images
    float[] slope = new float[2 * PIXELS];
    for (int i = 0; i < slope.length; i++) {
      slope[i] = (PIXELS - i % PIXELS) * (i % 2 == 0 ? 1 : -1);
    }
    gradient = Tensor.of(slope, 2, 1, 6, 10);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** The images with so many pixels changed, the last ones. */
  private Tensor changed(int first, int second) {
    Tensor point = images.copy();
    Tensor rows = point.view(2, PIXELS);
    rows.select(0, 0).narrow(0, PIXELS - first, first).zero_().add_(0.5 - 1e-5);
    rows.select(0, 1).narrow(0, PIXELS - second, second).zero_().add_(0.5 + 1e-5);
    return point;
  }

  /**
   * How many of the pixels with the largest gradient a step from the images changes, and by what.
   */
  private void assertStep(SparseSteps steps, double[] length, int... pixels) {
    float[] made = steps.step(images, gradient).toFloats();
    for (int n = 0; n < 2; n++) {
      for (int i = 0; i < PIXELS; i++) {
        double change = i < pixels[n] ? length[n] / pixels[n] * (i % 2 == 0 ? 1 : -1) : 0;
        assertEquals(0.5 + change, made[n * PIXELS + i], 1e-6, "image %d, %d".formatted(n, i));
      }
    }
  }

  @Test
  void fromARandomStartAFifthOfThePixelsShareEpsilon() {
    SparseSteps steps = new SparseSteps(images, EPSILON, null);
    assertStep(steps, new double[] {EPSILON, EPSILON}, 12, 12);
  }

  @Test
  void fromAGivenStartTwoThirdsOfThoseThatDifferRoundedUp() {
    SparseSteps steps = new SparseSteps(images, EPSILON, changed(31, 13));
    assertStep(steps, new double[] {EPSILON, EPSILON}, 21, 9);
  }

  /** Where fewer pixels differ than before the steps stay long and start from the best. */
  @Test
  void checksFollowTheNumberOfPixels() {
    SparseSteps steps = new SparseSteps(images, EPSILON, changed(31, 31));
    assertArrayEquals(new long[] {1, 0}, steps.check(changed(22, 31)).toLongs());
    assertStep(steps, new double[] {EPSILON, EPSILON / 1.5}, 15, 21);
    assertArrayEquals(new long[] {0, 1}, steps.check(changed(22, 13)).toLongs());
    assertStep(steps, new double[] {EPSILON / 1.5, EPSILON}, 15, 9);
    for (int i = 0; i < 7; i++) {
      assertArrayEquals(new long[] {0, 0}, steps.check(changed(22, 13)).toLongs());
    }
    assertStep(steps, new double[] {EPSILON / 10, EPSILON / 10}, 15, 9);
  }

  @Test
  void withoutAGradientNothingMoves() {
    SparseSteps steps = new SparseSteps(images, EPSILON, null);
    assertArrayEquals(images.toFloats(), steps.step(images, gradient.zerosLike()).toFloats());
  }
}
