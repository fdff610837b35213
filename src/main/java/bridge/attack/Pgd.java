package bridge.attack;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Climb;
import bridge.gradient.Objective;
import bridge.loss.Objectives;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/**
 * Projected gradient ascent (Madry et al. 2018): from a start, {@code steps} times a step of {@code
 * stepSize} up the objective, then back into the ball and [0, 1].
 *
 * <p>Training hands in its objective; as an {@link Attack} it climbs the cross-entropy.
 *
 * @param stepSize in units of the pixel range [0, 1]
 * @param mode how batch normalisation works meanwhile; nearly all released code uses evaluation
 */
public record Pgd(String name, Ball ball, double stepSize, int steps, Start start, NetworkMode mode)
    implements Attack {

  /** The network's mode during the attack; what was before is restored afterwards. */
  public enum NetworkMode {
    EVAL,
    /** Batch statistics, and their running means move: ARD's and IAD's code. */
    TRAIN
  }

  public Pgd {
    ball.require(name, Norm.LINF, Norm.L2);
    if (steps < 0 || !(stepSize >= 0)) {
      throw new UsageException(
          "an attack needs steps and a step size from 0 on, found %d steps of %s"
              .formatted(steps, stepSize));
    }
  }

  /** Reads {@code attack} of a recipe. */
  public static Pgd from(Options options) {
    Norm norm = options.choice("norm", Norm.LINF);
    if (norm == Norm.L1) {
      throw new UsageException(options.path("norm") + " must be LINF or L2, found L1");
    }
    double largest = norm == Norm.LINF ? 1 : 1000;
    double epsilon = options.number("epsilon", "8/255", 0, largest);
    Pgd pgd =
        new Pgd(
            "pgd",
            new Ball(norm, epsilon),
            options.number("stepSize", "2/255", 0, largest),
            options.integer("steps", 10, 0, 10_000),
            options.choice("start", Start.GAUSSIAN),
            options.choice("mode", NetworkMode.EVAL));
    options.done();
    return pgd;
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    return new Perturbed(
        perturb(network, Objectives.crossEntropy(network).with(labels), images, noise));
  }

  @Override
  public boolean randomStart() {
    return start != Start.NONE;
  }

  /**
   * The targeted form: looks for images that are taken for {@code targets}, int64 [N], by lowering
   * the cross-entropy with them.
   */
  public Tensor towards(Network network, Tensor images, Tensor targets, Generator noise) {
    return perturb(network, Objectives.targetedCrossEntropy(network).with(targets), images, noise);
  }

  /**
   * Climbs an objective from this attack's start.
   *
   * @return images [N, C, H, W] in the ball and in [0, 1], detached, in the caller's scope
   */
  public Tensor perturb(Network network, Objective objective, Tensor images, Generator noise) {
    try (Scope attack = Scope.open("attack")) {
      Tensor begin = start.point(images, ball, noise);
      return attack.keep(ascend(network, objective, images, begin));
    }
  }

  /** Climbs from a given point; with no steps this is the point, in the ball and in [0, 1]. */
  public Tensor ascend(Network network, Objective objective, Tensor images, Tensor begin) {
    try (Scope attack = Scope.open("ascent");
        Mode _ = mode == NetworkMode.EVAL ? Mode.eval(network) : Mode.train(network)) {
      return attack.keep(
          steps == 0
              ? ball.project(begin, images)
              : objective.climb(ball.bounds(images), begin, new BallStep(ball, stepSize), steps));
    }
  }

  /** Up the gradient, then back into the ball around the images and [0, 1]. */
  private record BallStep(Ball ball, double stepSize) implements Climb.Step {
    @Override
    public Tensor next(Tensor from, Tensor gradient, List<Tensor> bounds) {
      return ball.projectWithin(ball.step(from, gradient, stepSize), bounds);
    }
  }
}
