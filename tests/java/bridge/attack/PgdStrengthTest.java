package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What projected gradient ascent does to a trained network. */
class PgdStrengthTest extends ShortPgdTest {
  private static long right(Network network, Tensor images, Tensor labels) {
    return network.logits(images).argmax(1).eq(labels).sum().itemLong();
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void robustAccuracyIsAtMostTheCleanOne(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(100);
    long clean = right(teacher, sample.images(), sample.labels());
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(24)).images();
    long robust = right(teacher, made, sample.labels());
    assertTrue(clean >= 85, "clean " + clean);
    assertTrue(robust < clean - 20, "robust %d of clean %d".formatted(robust, clean));
  }

  @ParameterizedTest
  @CsvSource({"LINF, 0.05, 0.01", "L2, 0.8, 0.16"})
  void moreStepsDoNotWeaken(Norm norm, double epsilon, double stepSize) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(50);
    double loss = 0;
    long right = 50;
    for (int steps : new int[] {0, 2, 10, 20}) {
      Tensor made =
          pgd(norm, epsilon, stepSize, steps, Start.NONE)
              .perturb(teacher, sample.images(), sample.labels(), Samples.noise(25))
              .images();
      double now = Losses.crossEntropy(teacher.logits(made), sample.labels()).item();
      long rightNow = right(teacher, made, sample.labels());
      assertTrue(now > loss, "loss %s after %s at %d steps".formatted(now, loss, steps));
      assertTrue(rightNow <= right, "%d right after %d steps".formatted(rightNow, steps));
      loss = now;
      right = rightNow;
    }
  }

  @Test
  void fgsmIsOneStepOfEpsilonFromTheImage() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(10);
    Tensor images = sample.images();
    float[] fgsm =
        new Fgsm(new Ball(Norm.LINF, 0.1))
            .perturb(teacher, images, sample.labels(), Samples.noise(26))
            .images()
            .toFloats();
    Tensor x = images.copy().requiresGrad_(true);
    teacher.train(false);
    Tensor gradient = Losses.crossEntropy(teacher.logits(x), sample.labels()).gradient(x);
    assertArrayEquals(images.add(gradient.sign(), 0.1).clamp(0, 1).toFloats(), fgsm, 1e-6f);
  }
}
