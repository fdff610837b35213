package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Momentum, beside what the golden files say. */
class MiFgsmTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static float[] made(double decay, int steps) {
    Samples.Labelled sample = Samples.images(8);
    return new MiFgsm(new Ball(Norm.LINF, 0.1), 0.025, steps, decay)
        .perturb(Samples.teacher(), sample.images(), sample.labels(), Samples.noise(1))
        .images()
        .toFloats();
  }

  @Test
  void withoutMomentumItIsPgdFromTheImage() {
    Samples.Labelled sample = Samples.images(8);
    Ball ball = new Ball(Norm.LINF, 0.1);
    float[] pgd =
        new Pgd("pgd", ball, 0.025, 5, Start.NONE, Pgd.NetworkMode.EVAL)
            .perturb(Samples.teacher(), sample.images(), sample.labels(), Samples.noise(1))
            .images()
            .toFloats();
    assertArrayEquals(pgd, made(0, 5));
  }

  @Test
  void momentumIsSeenFromTheSecondStepOn() {
    assertArrayEquals(made(0, 1), made(1, 1));
    float[] without = made(0, 3);
    float[] with = made(1, 3);
    int different = 0;
    for (int i = 0; i < with.length; i++) {
      different += Math.abs(with[i] - without[i]) > 0.01 ? 1 : 0;
    }
    assertTrue(different > with.length / 100, different + " of " + with.length);
  }

  @Test
  void aGradientOfZeroMovesNothing() {
    LinearNetwork deaf =
        new LinearNetwork(Tensor.of(new float[32], 2, 16), Tensor.of(new float[2], 2));
    Tensor images = Samples.random(3, 2, 1, 4, 4);
    float[] made =
        new MiFgsm(new Ball(Norm.LINF, 0.1), 0.02, 3, 1)
            .perturb(deaf, images, Tensor.of(new long[2], 2), Samples.noise(1))
            .images()
            .toFloats();
    assertArrayEquals(images.toFloats(), made);
  }

  @ParameterizedTest
  @CsvSource({"-1, 0.1, 1", "1, -0.1, 1", "1, 0.1, -1", "1, 0.1, NaN"})
  void wrongSettingsAreRefused(int steps, double stepSize, double decay) {
    Ball ball = new Ball(Norm.LINF, 0.1);
    UsageException e =
        assertThrows(UsageException.class, () -> new MiFgsm(ball, stepSize, steps, decay));
    assertTrue(e.getMessage().startsWith("mifgsm needs"), e::getMessage);
  }
}
