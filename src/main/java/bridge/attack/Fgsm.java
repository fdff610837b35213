package bridge.attack;

import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Tensor;

/**
 * The fast gradient sign method (Goodfellow et al. 2015): one step of size ε on the cross-entropy,
 * from the image itself, clamped to [0, 1]. IAD's script starts at random instead; this one does
 * not, as torchattacks and the scripts of MTARD and CIARD.
 */
public record Fgsm(Ball ball) implements Attack {
  public Fgsm {
    ball.require("fgsm", Norm.LINF, Norm.L2);
  }

  @Override
  public String name() {
    return "fgsm";
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    return step().perturb(network, images, labels, noise);
  }

  /** The targeted form: one step down the cross-entropy with {@code targets}, int64 [N]. */
  public Tensor towards(Network network, Tensor images, Tensor targets, Generator noise) {
    return step().towards(network, images, targets, noise);
  }

  private Pgd step() {
    return new Pgd(name(), ball, ball.epsilon(), 1, Start.NONE, Pgd.NetworkMode.EVAL);
  }
}
