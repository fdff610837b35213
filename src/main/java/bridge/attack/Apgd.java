package bridge.attack;

import bridge.UsageException;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Objects;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/**
 * Auto-PGD (Croce and Hein 2020, algorithm 1; fra31/auto-attack, autopgd_base.py): gradient ascent
 * with momentum whose step size, 2ε at first, is halved per image where the loss no longer rises,
 * and which then goes on from the best point so far.
 *
 * <p>As an {@link Attack} it gives the last iterate that the network got wrong, else the image.
 * Images it has broken are left alone after the next check of the step size; the public code goes
 * on to the end, which changes the image found for them and nothing else.
 *
 * @param steps 100 in the papers
 * @param restarts from other random points, on the images still right; per target class
 * @param draws forward passes a gradient is averaged over, for networks that are random themselves
 */
public record Apgd(String name, Ball ball, Loss loss, int steps, int restarts, int draws)
    implements Attack {

  /** What is climbed. */
  public enum Loss {
    CROSS_ENTROPY,
    /** {@link Losses#dlr(Tensor, Tensor)}: three classes or more. */
    DLR,
    /** Towards each of the likeliest nine other classes in turn: four classes or more. */
    TARGETED_DLR;

    int classes() {
      return switch (this) {
        case CROSS_ENTROPY -> 1;
        case DLR -> 3;
        case TARGETED_DLR -> 4;
      };
    }
  }

  /** How many classes a targeted attack goes towards, as far as there are so many. */
  static final int TARGETS = 9;

  private static final int STEPS = 100;

  /** The step is halved unless the loss rose in more than this share of the steps. */
  private static final double RISING = 0.75;

  /** How much of a step is the new one; the rest is the step before. */
  private static final double NEW = 0.75;

  public Apgd {
    if (steps < 1 || restarts < 1 || draws < 1) {
      throw new UsageException(
          "%s needs 1 step, restart and draw or more, found %d, %d and %d"
              .formatted(name, steps, restarts, draws));
    }
  }

  /** {@code apgd-ce} of AutoAttack. */
  public static Apgd crossEntropy(Ball ball) {
    return new Apgd("apgd-ce", ball, Loss.CROSS_ENTROPY, STEPS, 1, 1);
  }

  /** {@code apgd-dlr} of AutoAttack. */
  public static Apgd dlr(Ball ball) {
    return new Apgd("apgd-dlr", ball, Loss.DLR, STEPS, 1, 1);
  }

  /** {@code apgd-t} of AutoAttack. */
  public static Apgd targeted(Ball ball) {
    return new Apgd("apgd-t", ball, Loss.TARGETED_DLR, STEPS, 1, 1);
  }

  Apgd withRestarts(int times) {
    return new Apgd(name, ball, loss, steps, times, draws);
  }

  Apgd withDraws(int times) {
    return new Apgd(name, ball, loss, steps, restarts, times);
  }

  @Override
  public Tensor perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    return perturb(network, images, labels, noise, zero -> {});
  }

  /**
   * As {@link Attack#perturb}.
   *
   * @param zeroGradients told, per round of a DLR loss, how many images' gradient is 0 at the start
   */
  public Tensor perturb(
      Network network, Tensor images, Tensor labels, Generator noise, LongConsumer zeroGradients) {
    checkClasses(network);
    try (Scope attack = Scope.open("apgd");
        Mode _ = Mode.eval(network)) {
      Survivors left = new Survivors(network, images, labels);
      int targets = loss == Loss.TARGETED_DLR ? Math.min(TARGETS, network.classes() - 1) : 1;
      for (int target = 0; target < targets; target++) {
        for (int i = 0; i < restarts && !left.none(); i++) {
          try (Scope _ = Scope.open("round")) {
            Tensor towards = loss == Loss.TARGETED_DLR ? left.ranked(target + 2) : null;
            Climb climb = new Climb(network, left.images(), left.labels(), towards);
            climb.run(start(climb.images, noise), true);
            zeroGradients.accept(climb.zeroGradients());
            left.take(climb.broken, climb.adversarial);
          }
        }
      }
      return attack.keep(left.found());
    }
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
          Climb climb = new Climb(network, images, labels, null);
          climb.run(start(images, noise), false);
          Tensor better = climb.bestLoss.gt(bestLoss);
          best.copy_(rows(better).where(climb.best, best));
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
   * @param start [N, C, H, W], clamped to [0, 1] first
   */
  Outcome climb(Network network, Tensor images, Tensor labels, Tensor targets, Tensor start) {
    checkClasses(network);
    try (Scope attack = Scope.open("apgd");
        Mode _ = Mode.eval(network)) {
      Climb climb = new Climb(network, images, labels, targets);
      climb.run(start, false);
      List.of(climb.best, climb.bestLoss, climb.broken, climb.adversarial).forEach(attack::keep);
      return new Outcome(climb.best, climb.bestLoss, climb.broken, climb.adversarial);
    }
  }

  /**
   * Whether the network has as many logits as the loss compares; the public code fails with an
   * index out of range.
   *
   * @throws UsageException if it has fewer
   */
  public void checkClasses(Network network) {
    if (network.classes() < loss.classes()) {
      throw new UsageException(
          "%s compares the %d largest logits, and %s has %d classes; use apgd-ce, fab and square"
              .formatted(name, loss.classes(), network.name(), network.classes()));
    }
  }

  private Tensor start(Tensor images, Generator noise) {
    return ball.directions(images, noise).mul_(ball.epsilon()).add_(images);
  }

  /** A value per image [N], to be spread over its pixels. */
  private static Tensor rows(Tensor perImage) {
    return perImage.view(-1, 1, 1, 1);
  }

  /** One run: where each image is, and its best so far. All tensors are overwritten in place. */
  private final class Climb {
    private final Network network;
    final Tensor images;
    private final Tensor labels;
    private final Tensor targets;
    private final Tensor low;
    private final Tensor high;

    private final Tensor x;
    private final Tensor previous;
    private final Tensor gradient;
    private final Tensor stepSize;
    final Tensor best;
    private final Tensor bestGradient;
    final Tensor bestLoss;
    private final Tensor lossBefore;
    private final Tensor rises;
    private final Tensor bestAtCheck;
    private final Tensor reducedAtCheck;
    private final Tensor lastWrong;
    private final Tensor wrong;

    private final Tensor index;
    final Tensor broken;
    final Tensor adversarial;
    private final Tensor flat;

    Climb(Network network, Tensor images, Tensor labels, Tensor targets) {
      this.network = network;
      this.images = images;
      this.labels = labels;
      this.targets = targets;
      boolean box = ball.norm() == Norm.LINF;
      low = box ? images.sub(ball.epsilon()).clamp_(0, 1) : null;
      high = box ? images.add(ball.epsilon()).clamp_(0, 1) : null;
      x = images.emptyLike();
      previous = images.emptyLike();
      gradient = images.emptyLike();
      best = images.emptyLike();
      bestGradient = images.emptyLike();
      lastWrong = images.emptyLike();
      adversarial = images.emptyLike();
      stepSize = rows(each(2 * ball.epsilon()));
      bestLoss = each(0);
      lossBefore = each(0);
      rises = each(0);
      bestAtCheck = each(0);
      reducedAtCheck = each(1).gt(0);
      wrong = each(0).gt(0);
      broken = wrong.copy();
      flat = each(0).sum();
      index = Tensor.arange(images.size(0), images.device());
    }

    private Tensor each(double value) {
      return Tensor.full(value, DType.FLOAT32, images.device(), images.size(0));
    }

    /**
     * @param drop whether images that are broken leave at the next check; their {@link #best} is
     *     then not kept
     */
    void run(Tensor start, boolean drop) {
      x.copy_(start).clamp_(0, 1);
      previous.copy_(x);
      lastWrong.copy_(x);
      begin();
      int period = share(0.22);
      int next = period;
      for (int i = 1; i <= steps; i++) {
        step(i == 1 ? 1 : NEW);
        climbed(i < steps);
        if (i == next) {
          check(period);
          period = Math.max(period - share(0.03), share(0.06));
          next += period;
          if (drop && !dropped()) {
            return;
          }
        }
      }
      flush();
    }

    private int share(double ofSteps) {
      return Math.max((int) (ofSteps * steps), 1);
    }

    private Tensor loss(Tensor logits) {
      return switch (loss) {
        case CROSS_ENTROPY -> Losses.crossEntropyPerSample(logits, labels);
        case DLR -> Losses.dlr(logits, labels);
        case TARGETED_DLR -> Losses.dlr(logits, labels, targets);
      };
    }

    /** The values at x, [N] and [N, K]; with more draws than one, the last draw's. */
    private record Here(Tensor loss, Tensor wrong) {}

    /** Evaluates at x and, if asked, puts the mean gradient in its place. */
    private Here here(boolean withGradient) {
      if (!withGradient) {
        try (NoGrad _ = NoGrad.enter()) {
          return here(network.logits(x));
        }
      }
      Here here = null;
      for (int i = 0; i < draws; i++) {
        Tensor point = x.detach().requiresGrad_(true);
        Tensor logits = network.logits(point);
        Tensor each = loss(logits);
        Tensor drawn = each.sum().gradient(point);
        if (i == 0) {
          gradient.copy_(drawn);
        } else {
          gradient.add_(drawn);
        }
        here = new Here(each.detach(), logits.detach().argmax(1).ne(labels));
      }
      if (draws > 1) {
        gradient.mul_(1.0 / draws);
      }
      return here;
    }

    private Here here(Tensor logits) {
      return new Here(loss(logits), logits.argmax(1).ne(labels));
    }

    private void begin() {
      try (Scope _ = Scope.open("attack-step")) {
        Here here = here(true);
        best.copy_(x);
        bestGradient.copy_(gradient);
        bestLoss.copy_(here.loss);
        bestAtCheck.copy_(here.loss);
        wrong.copy_(here.wrong);
        if (loss != Loss.CROSS_ENTROPY) {
          flat.copy_(gradient.abs().flatten(1).sum(1).gt(0).logicalNot().sum());
        }
      }
    }

    /** How many images had a gradient of 0 at the start; waits for the device. */
    long zeroGradients() {
      return (long) flat.item();
    }

    private Tensor project(Tensor moved) {
      return ball.norm() == Norm.LINF ? moved.clamp(low, high) : ball.project(moved, images);
    }

    private void step(double share) {
      try (Scope _ = Scope.open("attack-step");
          NoGrad _ = NoGrad.enter()) {
        Tensor moved = project(ball.step(x, gradient, stepSize));
        Tensor momentum = x.sub(previous);
        Tensor mixed = moved.sub(x).mul_(share).add_(x).add_(momentum, 1 - share);
        previous.copy_(x);
        x.copy_(project(mixed));
      }
    }

    /** What the new point is worth. */
    private void climbed(boolean goesOn) {
      try (Scope _ = Scope.open("attack-step")) {
        Here here = here(goesOn);
        lastWrong.copy_(rows(here.wrong).where(x, lastWrong));
        wrong.copy_(wrong.logicalOr(here.wrong));
        Tensor better = here.loss.gt(bestLoss);
        best.copy_(rows(better).where(x, best));
        bestGradient.copy_(rows(better).where(gradient, bestGradient));
        bestLoss.copy_(better.where(here.loss, bestLoss));
        // as in the public code, the first loss is compared with 0 and not with that of the start
        rises.add_(here.loss.gt(lossBefore).to(DType.FLOAT32));
        lossBefore.copy_(here.loss);
      }
    }

    /** Halves the step of images that swing or stand still, and takes them back to their best. */
    private void check(int period) {
      try (Scope _ = Scope.open("check")) {
        Tensor swings = rises.gt(RISING * period).logicalNot();
        Tensor stands = reducedAtCheck.logicalOr(bestLoss.gt(bestAtCheck)).logicalNot();
        Tensor reduce = swings.logicalOr(stands);
        reducedAtCheck.copy_(reduce);
        bestAtCheck.copy_(bestLoss);
        rises.zero_();
        stepSize.copy_(rows(reduce).where(stepSize.mul(0.5), stepSize));
        x.copy_(rows(reduce).where(best, x));
        gradient.copy_(rows(reduce).where(bestGradient, gradient));
      }
    }

    private void flush() {
      broken.indexCopy_(0, index, wrong);
      adversarial.indexCopy_(0, index, lastWrong);
    }

    /** What has a row per image still attacked. */
    private Stream<Tensor> perImage() {
      return Stream.of(
              images,
              labels,
              targets,
              low,
              high,
              x,
              previous,
              gradient,
              stepSize,
              best,
              bestGradient,
              bestLoss,
              lossBefore,
              rises,
              bestAtCheck,
              reducedAtCheck,
              lastWrong,
              wrong,
              index)
          .filter(Objects::nonNull);
    }

    /** Leaves the broken images alone from now on; false if no other is left. */
    private boolean dropped() {
      try (Scope _ = Scope.open("drop")) {
        Tensor stay = wrong.logicalNot().nonzero().squeeze(1);
        if (stay.size(0) < wrong.size(0)) {
          flush();
          perImage().forEach(t -> t.setData(t.indexSelect(0, stay)));
        }
        return stay.size(0) > 0;
      }
    }
  }
}
