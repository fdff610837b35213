package bridge.attack;

import bridge.ScopedTest;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/** AutoAttack's components with few steps, and networks whose weaknesses are known. */
abstract class ShortAttacksTest extends ScopedTest {
  static final int SIZE = 12;

  static Ball ball(Norm norm) {
    return ball(norm, 0.07, 0.9, 9);
  }

  static Ball ball(Norm norm, double linf, double l2, double l1) {
    return new Ball(
        norm,
        switch (norm) {
          case LINF -> linf;
          case L2 -> l2;
          case L1 -> l1;
        });
  }

  /** Every attack, with few steps. */
  static List<Attack> shortened(Ball ball) {
    List<Attack> all =
        new ArrayList<>(
            List.of(
                new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 8, 2, 1),
                new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 8, 1, 3),
                new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 8, 1, 1),
                new Fab("fab", ball, false, 4, 2),
                new Fab("fab-t", ball, true, 4, 1),
                new Square("square", ball, 50, 2, false),
                new Square("square", ball, 50, 1, true)));
    if (ball.norm() == Norm.L1) {
      all.add(new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 10, 2, 1, 1, true));
      all.add(new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 10, 1, 1, 5, true));
    }
    return all;
  }

  /** AutoAttack with components of one's own. */
  record Chain(List<Attack> components) implements Attack {
    @Override
    public String name() {
      return "chain";
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      return AutoAttack.perturb(components, network, images, labels, noise);
    }
  }

  /** What the network says in evaluation mode, so that all images are right. */
  static Tensor answers(Network network, Tensor images) {
    boolean before = network.training();
    network.train(false);
    try (NoGrad _ = NoGrad.enter()) {
      return network.logits(images).argmax(1);
    } finally {
      network.train(before);
    }
  }

  static long right(Network network, Tensor images, Tensor labels) {
    return answers(network, images).eq(labels).sum().itemLong();
  }

  /** Two classes, logits 0 and w · x + b. */
  static LinearNetwork linear(Tensor weight, double bias) {
    return new LinearNetwork(
        Tensor.stack(List.of(weight.zerosLike(), weight), 0),
        Tensor.of(new float[] {0, (float) bias}, 2));
  }

  static Network classes(int classes) {
    Tensor weight = Tensor.randn(Samples.noise(21), Device.CPU, classes, 9);
    return new LinearNetwork(weight, Tensor.zeros(DType.FLOAT32, Device.CPU, classes));
  }
}
