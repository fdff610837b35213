package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What tells the three forms of CW∞ apart, on numbers that can be checked by hand. */
class CwInfinityTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static CwInfinity cw(CwInfinity.Variant variant, int steps, double confidence) {
    return new CwInfinity("cw", new Ball(Norm.LINF, 0.2), 0.1, steps, confidence, variant);
  }

  @Test
  void marginIsToTheBestOfTheOthers() {
    Tensor logits = Tensor.of(new float[] {3, 1, 2, -4, -1, -2}, 2, 3);
    Tensor labels = Tensor.of(new long[] {0, 2}, 2);
    assertArrayEquals(new float[] {1, -1}, Losses.margin(logits, labels).toFloats());
  }

  @Test
  void objectivesAreThoseOfTheScripts() {
    Tensor logits = Tensor.of(new float[] {3, 1, 2, -4, -1, -9}, 2, 3);
    Tensor labels = Tensor.of(new long[] {0, 2}, 2);
    float[] iad = cw(CwInfinity.Variant.IAD, 1, 50).objective(logits, labels).toFloats();
    float[] reached = cw(CwInfinity.Variant.CIARD, 1, 5).objective(logits, labels).toFloats();
    float[] saad = cw(CwInfinity.Variant.SAAD, 1, 50).objective(logits, labels).toFloats();
    assertArrayEquals(new float[] {-51, -42}, iad);
    assertArrayEquals(new float[] {-6, 0}, reached, 0);
    assertArrayEquals(new float[] {-1, 8}, saad);
  }

  /** Logits x₁ − x₂ + bias and x₂ − x₁: class 0 is fought by x₁ falling and x₂ rising. */
  private static LinearNetwork difference(float bias) {
    return new LinearNetwork(
        Tensor.of(new float[] {1, -1, -1, 1}, 2, 2), Tensor.of(new float[] {bias, 0}, 2));
  }

  private static float[] made(CwInfinity.Variant variant, float... pixels) {
    Tensor images = Tensor.of(pixels, 1, 1, 1, 2);
    Tensor labels = Tensor.of(new long[] {0}, 1);
    return cw(variant, 3, 50).ascend(difference(0), images, labels, images).toFloats();
  }

  @Test
  void onlySaadStopsWhereTheImageIsWrong() {
    // after one step the image is wrong, and after two more it stands at ε
    assertArrayEquals(new float[] {0.45f, 0.5f}, made(CwInfinity.Variant.SAAD, 0.55f, 0.4f), 1e-6f);
    assertArrayEquals(new float[] {0.35f, 0.6f}, made(CwInfinity.Variant.IAD, 0.55f, 0.4f), 1e-6f);
    assertArrayEquals(
        new float[] {0.35f, 0.6f}, made(CwInfinity.Variant.CIARD, 0.55f, 0.4f), 1e-6f);
  }

  @ParameterizedTest
  @CsvSource({"CIARD, 1.15", "IAD, 1", "SAAD, 1"})
  void onlyCiardShowsTheNetworkPixelsBeyondTheRange(CwInfinity.Variant variant, double highest) {
    double[] shown = {0};
    Network network =
        new NetworkDecorator(difference(5)) {
          @Override
          public Outputs forward(Tensor images, List<String> features) {
            shown[0] = Math.max(shown[0], images.max().item());
            return super.forward(images, features);
          }
        };
    Tensor images = Tensor.of(new float[] {0.9f, 0.95f}, 1, 1, 1, 2);
    Tensor labels = Tensor.of(new long[] {0}, 1);
    float[] made = cw(variant, 4, 50).ascend(network, images, labels, images).toFloats();
    assertEquals(highest, shown[0], 1e-6);
    assertArrayEquals(new float[] {0.7f, 1}, made, 1e-6f);
  }

  @Test
  void ciardStartsAtTheImage() {
    Tensor images = Samples.random(3, 2, 1, 4, 4);
    var none = cw(CwInfinity.Variant.CIARD, 0, 50);
    Tensor labels = Tensor.of(new long[] {0, 1}, 2);
    float[] made =
        none.perturb(Samples.fresh(8), images, labels, Samples.noise(1)).images().toFloats();
    assertArrayEquals(images.toFloats(), made);
    float[] iad =
        cw(CwInfinity.Variant.IAD, 0, 50)
            .perturb(Samples.fresh(8), images, labels, Samples.noise(1))
            .images()
            .toFloats();
    assertNotEquals(images.toFloats()[5], iad[5]);
  }

  @ParameterizedTest
  @CsvSource({"-1, 0.1, 0", "1, -0.1, 0", "1, 0.1, -1", "1, NaN, 0"})
  void wrongSettingsAreRefusedInOneLine(int steps, double stepSize, double confidence) {
    UsageException e =
        assertThrows(
            UsageException.class,
            () ->
                new CwInfinity(
                    "cw30",
                    new Ball(Norm.LINF, 0.1),
                    stepSize,
                    steps,
                    confidence,
                    CwInfinity.Variant.IAD));
    assertTrue(e.getMessage().startsWith("cw30 needs"), e::getMessage);
  }
}
