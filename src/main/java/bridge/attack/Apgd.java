package bridge.attack;

import bridge.UsageException;
import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * Auto-PGD (Croce and Hein 2020, algorithm 1; fra31/auto-attack, autopgd_base.py): gradient ascent
 * with momentum whose step size, 2ε at first, is halved per image where the loss no longer rises,
 * and which then goes on from the best point so far. In L1 the steps are {@link SparseSteps}.
 *
 * <p>As an {@link Attack} it gives the last iterate that the network got wrong, else the image.
 * Images it has broken are left alone after the next check of the step size; the public code goes
 * on to the end, which changes the image found for them and nothing else.
 *
 * @param steps 100 in the papers
 * @param restarts from other random points, on the images still right; per target class
 * @param draws forward passes a gradient is averaged over, for networks that are random themselves
 * @param targets how many classes {@link Loss#TARGETED_DLR} goes towards, as far as there are so
 *     many; 1 for the other losses
 * @param widened only for L1: whether the first 30 % of the steps are made in a ball of 3ε and the
 *     next 30 % in one of 2ε, each time going on from the best point ("Mind the box"); {@link
 *     #highestLoss} never is
 */
public record Apgd(
    String name,
    Ball ball,
    Loss loss,
    int steps,
    int restarts,
    int draws,
    int targets,
    boolean widened)
    implements Attack {

  /** What is climbed. */
  public enum Loss {
    CROSS_ENTROPY,
    /** {@link Losses#dlr(Tensor, Tensor)}: three classes or more. */
    DLR,
    /** Towards each of the likeliest other classes in turn: four classes or more. */
    TARGETED_DLR;

    int classes() {
      return switch (this) {
        case CROSS_ENTROPY -> 1;
        case DLR -> 3;
        case TARGETED_DLR -> 4;
      };
    }
  }

  /** What works with two classes. */
  static final String FOR_FEW_CLASSES = "apgd-ce, fab and square";

  /** How many classes a targeted attack goes towards, as far as there are so many. */
  static final int TARGETS = 9;

  private static final int L1_TARGETS = 5;
  private static final int STEPS = 100;

  /** What share of the steps is made in each of the larger balls. */
  private static final double WIDE = 0.3;

  private static final int FEWEST_WIDENED = 5;

  public Apgd {
    if (steps < 1 || restarts < 1 || draws < 1) {
      throw new UsageException(
          "%s needs 1 step, restart and draw or more, found %d, %d and %d"
              .formatted(name, steps, restarts, draws));
    }
    if (targets < 1 || widened && (ball.norm() != Norm.L1 || steps < FEWEST_WIDENED)) {
      throw new UsageException(
          "%s needs 1 target or more, and to widen its ball norm l1 and %d steps or more, found %d targets, norm %s and %d steps"
              .formatted(name, FEWEST_WIDENED, targets, ball.norm(), steps));
    }
  }

  /** In its ball from the first step on, and towards nine classes if the loss is targeted. */
  public Apgd(String name, Ball ball, Loss loss, int steps, int restarts, int draws) {
    this(name, ball, loss, steps, restarts, draws, loss == Loss.TARGETED_DLR ? TARGETS : 1, false);
  }

  /** {@code apgd-ce} of AutoAttack; for L1 one run of it, widened. */
  public static Apgd crossEntropy(Ball ball) {
    return of("apgd-ce", ball, Loss.CROSS_ENTROPY, 1);
  }

  /** {@code apgd-dlr} of AutoAttack; for L1 widened. */
  public static Apgd dlr(Ball ball) {
    return of("apgd-dlr", ball, Loss.DLR, 1);
  }

  /** {@code apgd-t} of AutoAttack: for L1 widened and towards five classes. */
  public static Apgd targeted(Ball ball) {
    int targets = ball.norm() == Norm.L1 ? L1_TARGETS : TARGETS;
    return of("apgd-t", ball, Loss.TARGETED_DLR, targets);
  }

  private static Apgd of(String name, Ball ball, Loss loss, int targets) {
    return new Apgd(name, ball, loss, STEPS, 1, 1, targets, ball.norm() == Norm.L1);
  }

  /** From so many random starts. */
  Apgd withStarts(int times) {
    return new Apgd(name, ball, loss, steps, times, draws, targets, widened);
  }

  Apgd withDraws(int times) {
    return new Apgd(name, ball, loss, steps, restarts, times, targets, widened);
  }

  /** Not {@link #widened}, and towards nine classes if the loss is targeted. */
  Apgd plain() {
    return new Apgd(name, ball, loss, steps, restarts, draws);
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    checkClasses(network);
    try (Scope attack = Scope.open("apgd");
        Mode _ = Mode.eval(network)) {
      Survivors survivors = new Survivors(network, images, labels);
      int rounds = Math.min(targets, network.classes() - 1);
      long zeroGradients = 0;
      for (int target = 0; target < rounds; target++) {
        for (int i = 0; i < restarts && !survivors.none(); i++) {
          try (Scope _ = Scope.open("round")) {
            Tensor towards = loss == Loss.TARGETED_DLR ? survivors.ranked(target + 2) : null;
            ApgdClimb climb =
                new ApgdClimb(this, network, survivors.images(), survivors.labels(), towards);
            climb.run(start(climb.images, noise), phases(), widened, true);
            zeroGradients = Math.max(zeroGradients, climb.zeroGradients());
            survivors.update(climb.broken, climb.adversarial);
          }
        }
      }
      return new Perturbed(attack.keep(survivors.found()), (int) zeroGradients);
    }
  }

  @Override
  public boolean randomStart() {
    return true;
  }

  @Override
  public boolean targeted() {
    return loss == Loss.TARGETED_DLR;
  }

  @Override
  public Optional<Attack> withRestarts(int times) {
    return Optional.of(withStarts(times));
  }

  /**
   * The images of the largest loss, whether the network gets them wrong or not, of all the images
   * given: what the public code calls best_loss.
   */
  public Tensor highestLoss(Network network, Tensor images, Tensor labels, Generator noise) {
    checkClasses(network);
    if (loss == Loss.TARGETED_DLR) {
      throw new UsageException(name + " has a loss per target class; use apgd-ce or apgd-dlr");
    }
    try (Scope attack = Scope.open("apgd");
        Mode _ = Mode.eval(network)) {
      Tensor best = images.copy();
      Tensor bestLoss =
          Tensor.full(Double.NEGATIVE_INFINITY, DType.FLOAT32, images.device(), images.size(0));
      for (int i = 0; i < restarts; i++) {
        try (Scope _ = Scope.open("round")) {
          ApgdClimb climb = new ApgdClimb(this, network, images, labels, null);
          climb.run(start(images, noise), inBall(), false, false);
          Tensor better = climb.bestLoss.gt(bestLoss);
          best.copy_(ApgdClimb.rows(better).where(climb.best, best));
          bestLoss.copy_(better.where(climb.bestLoss, bestLoss));
        }
      }
      return attack.keep(best);
    }
  }

  /**
   * What one run from a given start came to.
   *
   * @param best the point of the highest loss, [N, C, H, W]
   * @param bestLoss its loss, [N]
   * @param broken whether any point was got wrong, bool [N]
   * @param adversarial the last such point, else the start
   */
  record Outcome(Tensor best, Tensor bestLoss, Tensor broken, Tensor adversarial) {}

  /**
   * One run over all the images.
   *
   * @param targets int64 [N] for the targeted loss, else null
   * @param start [N, C, H, W], clamped to [0, 1] first, for L1 projected
   */
  Outcome climb(Network network, Tensor images, Tensor labels, Tensor targets, Tensor start) {
    checkClasses(network);
    try (Scope attack = Scope.open("apgd");
        Mode _ = Mode.eval(network)) {
      ApgdClimb climb = new ApgdClimb(this, network, images, labels, targets);
      climb.run(start, phases(), true, false);
      List.of(climb.best, climb.bestLoss, climb.broken, climb.adversarial).forEach(attack::keep);
      return new Outcome(climb.best, climb.bestLoss, climb.broken, climb.adversarial);
    }
  }

  /** The public code fails with an index out of range. */
  @Override
  public int leastClasses() {
    return loss.classes();
  }

  /** For L1 it is yet to be projected. */
  private Tensor start(Tensor images, Generator noise) {
    return ball.norm() == Norm.L1
        ? images.emptyLike().normal_(0, 1, noise).add_(images)
        : ball.directions(images, noise).mul_(ball.epsilon()).add_(images);
  }

  private List<ApgdClimb.Phase> inBall() {
    return List.of(new ApgdClimb.Phase(ball.epsilon(), steps));
  }

  private List<ApgdClimb.Phase> phases() {
    int wide = (int) Math.ceil(WIDE * steps);
    return widened
        ? List.of(
            new ApgdClimb.Phase(3 * ball.epsilon(), wide),
            new ApgdClimb.Phase(2 * ball.epsilon(), wide),
            new ApgdClimb.Phase(ball.epsilon(), steps - 2 * wide))
        : inBall();
  }
}
