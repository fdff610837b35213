package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Where attacks begin: inside what each start promises, and clamped only where it says so. */
class StartTest {
  private static final double EPSILON = 0.1;

  private final long seed = System.nanoTime();
  private final Ball linf = new Ball(Norm.LINF, EPSILON);

  private Scope scope;
  private Tensor images;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    images = Samples.random(seed, 16, 1, 20, 20);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor point(Start start, Ball ball) {
    return start.point(images, ball, Samples.noise(seed + 1));
  }

  private Tensor delta(Start start) {
    return point(start, linf).sub(images);
  }

  private boolean inRange(Tensor x) {
    return x.min().item() >= 0 && x.max().item() <= 1;
  }

  private String seeded() {
    return "seed " + seed;
  }

  @Test
  void noneIsTheImage() {
    assertArrayEquals(images.toFloats(), point(Start.NONE, linf).toFloats());
  }

  @Test
  void uniformFillsTheBallAndLeavesTheRange() {
    Tensor delta = delta(Start.UNIFORM_UNCLAMPED);
    assertEquals(EPSILON, delta.max().item(), 0.002, this::seeded);
    assertEquals(-EPSILON, delta.min().item(), 0.002, this::seeded);
    assertTrue(delta.abs().max().item() <= EPSILON + 1e-6, this::seeded);
    // mean 0, variance ε²/3, each within five standard deviations for 6,400 draws
    assertEquals(0, delta.mean().item(), 0.0037, this::seeded);
    assertEquals(EPSILON * EPSILON / 3, delta.pow(2).mean().item(), 0.0002, this::seeded);
    assertFalse(inRange(point(Start.UNIFORM_UNCLAMPED, linf)), this::seeded);
  }

  @Test
  void gaussianHasADeviationOfAThousandthAndLeavesTheRange() {
    Tensor delta = delta(Start.GAUSSIAN);
    assertEquals(0, delta.mean().item(), 0.00007, this::seeded);
    assertEquals(0.001, Math.sqrt(delta.pow(2).mean().item()), 0.00005, this::seeded);
    assertFalse(inRange(point(Start.GAUSSIAN, linf)), this::seeded);
  }

  @Test
  void clampedStartsAreTheOthersClamped() {
    assertArrayEquals(
        point(Start.UNIFORM_UNCLAMPED, linf).clamp(0, 1).toFloats(),
        point(Start.UNIFORM, linf).toFloats(),
        seeded());
    assertArrayEquals(
        point(Start.GAUSSIAN, linf).clamp(0, 1).toFloats(),
        point(Start.GAUSSIAN_CLAMPED, linf).toFloats(),
        seeded());
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.class,
      names = {"UNIFORM", "UNIFORM_UNCLAMPED"})
  void l2StartsAreInTheBall(Start start) {
    Tensor delta = point(start, new Ball(Norm.L2, 1.5)).sub(images);
    double longest = Arrays.stream(delta.norm2Keep(1, 2, 3).toDoubles()).max().getAsDouble();
    assertTrue(longest <= 1.5 + 1e-6, () -> longest + ", " + seeded());
    assertTrue(longest > 0.8, () -> longest + ", " + seeded());
    assertEquals(start == Start.UNIFORM, inRange(images.add(delta)), this::seeded);
  }

  @ParameterizedTest
  @EnumSource(Start.class)
  void imagesStayAsTheyWere(Start start) {
    float[] before = images.toFloats();
    point(start, linf);
    assertArrayEquals(before, images.toFloats());
  }
}
