package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** APGD: what it finds on linear networks, and what it counts. */
class ApgdTest extends ShortAttacksTest {
  @ParameterizedTest
  @EnumSource(Norm.class)
  void leavingBrokenImagesAloneChangesNoOutcome(Norm norm) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(20);
    Ball ball = ball(norm, 0.02, 0.3, 2);
    Tensor labels = answers(teacher, sample.images());
    Apgd attack = new Apgd("apgd", ball, Apgd.Loss.DLR, 20, 1, 1, 1, norm == Norm.L1);
    Tensor made = attack.perturb(teacher, sample.images(), labels, Samples.noise(9)).images();
    Tensor delta =
        norm == Norm.L1
            ? sample.images().emptyLike().normal_(0, 1, Samples.noise(9))
            : ball.directions(sample.images(), Samples.noise(9)).mul(ball.epsilon());
    Tensor start = delta.add(sample.images());
    Apgd.Outcome whole = attack.climb(teacher, sample.images(), labels, null, start);
    long broken = whole.broken().sum().itemLong();
    assertTrue(broken > 2 && broken < 18, "no good example: %d broken".formatted(broken));
    assertArrayEquals(whole.broken().toLongs(), answers(teacher, made).ne(labels).toLongs());
  }

  @ParameterizedTest
  @EnumSource(value = Norm.class, mode = EnumSource.Mode.EXCLUDE, names = "L1")
  void theHighestLossOfALinearNetworkIsFound(Norm norm) {
    Tensor weight = Tensor.randn(Samples.noise(10), Device.CPU, 16);
    Network network = linear(weight, 0);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 3, 1, 4, 4);
    Tensor labels = Tensor.of(new long[] {1, 1, 1}, 3);
    Apgd attack = Apgd.crossEntropy(new Ball(norm, 0.2));
    Tensor made = attack.highestLoss(network, images, labels, Samples.noise(11));
    Tensor down = norm == Norm.LINF ? weight.sign() : weight.div(weight.norm2Keep(0).add(1e-12));
    Tensor best = images.sub(down.view(1, 1, 4, 4).mul(0.2));
    assertArrayEquals(best.toFloats(), made.toFloats(), 2e-3f);
  }

  /**
   * One pixel would be best; of two changed ones the next step changes two thirds, which is two.
   */
  @Test
  void inL1TheTwoPixelsThatMatterMostAreChanged() {
    float[] slope = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, -15, 16};
    Tensor weight = Tensor.of(slope, 16).mul(0.1);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 3, 1, 4, 4);
    Tensor labels = Tensor.of(new long[] {1, 1, 1}, 3);
    Apgd attack = Apgd.crossEntropy(new Ball(Norm.L1, 0.2));
    Tensor made = attack.highestLoss(linear(weight, 0), images, labels, Samples.noise(11));
    Tensor best = images.copy();
    best.narrow(2, 3, 1).narrow(3, 2, 1).zero_().add_(0.6);
    best.narrow(2, 3, 1).narrow(3, 3, 1).zero_().add_(0.4);
    assertArrayEquals(best.toFloats(), made.toFloats(), 2e-3f);
  }

  @Test
  void restartsAndMoreStepsFindNoLowerLoss() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(10);
    Ball ball = ball(Norm.LINF);
    double before = 0;
    for (Apgd attack :
        List.of(
            new Apgd("apgd", ball, Apgd.Loss.CROSS_ENTROPY, 3, 1, 1),
            new Apgd("apgd", ball, Apgd.Loss.CROSS_ENTROPY, 30, 1, 1),
            new Apgd("apgd", ball, Apgd.Loss.CROSS_ENTROPY, 30, 4, 1))) {
      Tensor made =
          attack.highestLoss(teacher, sample.images(), sample.labels(), Samples.noise(12));
      double loss = Losses.crossEntropy(teacher.logits(made), sample.labels()).item();
      assertTrue(loss > before, "%s after %s".formatted(loss, before));
      before = loss;
    }
  }

  @Test
  void zeroGradientsAreCounted() {
    Tensor images = Samples.random(13, 5, 1, 3, 3);
    Network flat =
        new LinearNetwork(
            Tensor.zeros(DType.FLOAT32, Device.CPU, 4, 9), Tensor.of(new float[] {3, 2, 1, 0}, 4));
    Tensor labels = answers(flat, images);
    Ball ball = ball(Norm.LINF);
    for (Norm norm : Norm.values()) {
      Perturbed made =
          new Chain(shortened(ball(norm))).perturb(flat, images, labels, Samples.noise(14));
      assertEquals(5, made.zeroGradients());
      assertArrayEquals(images.toFloats(), made.images().toFloats());
    }
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(4);
    Perturbed made =
        new Chain(List.of(new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 2, 1, 1)))
            .perturb(teacher, sample.images(), sample.labels(), Samples.noise(15));
    assertEquals(0, made.zeroGradients());
  }
}
