package bridge.attack;

import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Objectives;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/**
 * The momentum iterative method (Dong et al. 2018): from the image itself, {@code steps} times g ←
 * {@code decay} · g + ∇/mean|∇| per image, a step of {@code stepSize} along g, then back into the
 * ball and [0, 1]; ∇ is the cross-entropy's gradient.
 *
 * <p>The paper divides by the gradient's length in L1, torchattacks by its mean, which is that over
 * the number of pixels: g has another scale and the same direction. A gradient of 0 adds nothing to
 * g, where torchattacks divides 0 by 0.
 *
 * @param stepSize in units of the pixel range [0, 1]
 * @param decay of the momentum; 1 in the paper
 */
public record MiFgsm(Ball ball, double stepSize, int steps, double decay) implements Attack {
  private static final double TINY = 1e-30;

  public MiFgsm {
    ball.require("mifgsm", Norm.LINF, Norm.L2);
    if (steps < 0 || !(stepSize >= 0) || !(decay >= 0)) {
      throw new UsageException(
          "mifgsm needs steps, a step size and a decay from 0 on, found %d steps of %s, decay %s"
              .formatted(steps, stepSize, decay));
    }
  }

  @Override
  public String name() {
    return "mifgsm";
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    return new Perturbed(climb(network, Objectives.crossEntropy(network).with(labels), images));
  }

  /** The targeted form: down the cross-entropy with {@code targets}, int64 [N]. */
  public Tensor towards(Network network, Tensor images, Tensor targets, Generator noise) {
    return climb(network, Objectives.targetedCrossEntropy(network).with(targets), images);
  }

  private Tensor climb(Network network, Objective objective, Tensor images) {
    try (Scope attack = Scope.open("mifgsm");
        Mode _ = Mode.eval(network)) {
      return attack.keep(objective.climb(List.of(images), images, this::climb));
    }
  }

  private Tensor climb(Objective objective, List<Tensor> fixed, Tensor begin) {
    Tensor images = fixed.get(0);
    Tensor x = begin.copy();
    Tensor momentum = images.zerosLike();
    for (int i = 0; i < steps; i++) {
      try (Scope step = Scope.open("attack-step")) {
        Tensor up = objective.slope(x).gradient();
        Tensor scale = up.abs().meanKeep(1, 2, 3).clampMin(TINY);
        momentum.mul_(decay).add_(up.div(scale));
        x = step.keep(ball.project(ball.step(x, momentum, stepSize), images));
      }
    }
    return ball.project(x, images);
  }
}
