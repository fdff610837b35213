package bridge.attack;

import bridge.gradient.Pullback;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * One run of {@link Apgd}: where each image is, and its best so far. All tensors are overwritten in
 * place.
 */
final class ApgdClimb {
  /** The step is halved unless the loss rose in more than this share of the steps. */
  private static final double RISING = 0.75;

  /** How much of a step is the new one; the rest is the step before. */
  private static final double NEW = 0.75;

  /** A part of a run: so many steps in a ball of this radius. */
  record Phase(double epsilon, int steps) {}

  private final Apgd attack;
  private final Ball ball;
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

  /** For L1, else null. */
  private SparseSteps sparse;

  ApgdClimb(Apgd attack, Network network, Tensor images, Tensor labels, Tensor targets) {
    this.attack = attack;
    this.ball = attack.ball();
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
   * @param warmStart whether the start is one to go on from; see {@link SparseSteps}
   * @param drop whether images that are broken in the last phase leave at the next check; their
   *     {@link #best} is then not kept
   */
  void run(Tensor start, List<Phase> phases, boolean warmStart, boolean drop) {
    Tensor from = start;
    for (Phase phase : phases) {
      x.copy_(from);
      begin(phase.epsilon, warmStart);
      climb(phase.steps, drop && phase == phases.getLast());
      from = best;
    }
    flush();
  }

  private void climb(int steps, boolean drop) {
    int period = share(sparse == null ? 0.22 : 0.04, steps);
    int next = period;
    for (int i = 1; i <= steps; i++) {
      step(i == 1 ? 1 : NEW);
      afterStep(i < steps);
      if (i == next) {
        check(period);
        if (sparse == null) {
          period = Math.max(period - share(0.03, steps), share(0.06, steps));
        }
        next += period;
        if (drop && !dropped()) {
          return;
        }
      }
    }
  }

  private static int share(double part, int steps) {
    return Math.max((int) (part * steps), 1);
  }

  private Tensor loss(Tensor logits) {
    return switch (attack.loss()) {
      case CROSS_ENTROPY -> Losses.crossEntropyPerSample(logits, labels);
      case DLR -> Losses.dlr(logits, labels);
      case TARGETED_DLR -> Losses.dlr(logits, labels, targets);
    };
  }

  /** The values at x, [N] and [N, K]; with more draws than one, the last draw's. */
  private record Values(Tensor loss, Tensor wrong) {}

  /** Evaluates at x and, if asked, puts the mean gradient in its place. */
  private Values evaluate(boolean withGradient) {
    if (!withGradient) {
      try (NoGrad _ = NoGrad.enter()) {
        return evaluate(network.logits(x));
      }
    }
    Values values = null;
    for (int i = 0; i < attack.draws(); i++) {
      Pullback point = Pullback.at(network, x);
      Tensor logits = point.logits();
      Tensor each = loss(logits);
      Tensor drawn = point.gradient(each.sum());
      if (i == 0) {
        gradient.copy_(drawn);
      } else {
        gradient.add_(drawn);
      }
      values = new Values(each.detach(), logits.detach().argmax(1).ne(labels));
    }
    if (attack.draws() > 1) {
      gradient.mul_(1.0 / attack.draws());
    }
    return values;
  }

  private Values evaluate(Tensor logits) {
    return new Values(loss(logits), logits.argmax(1).ne(labels));
  }

  private void begin(double epsilon, boolean warmStart) {
    if (ball.norm() == Norm.L1) {
      try (Scope _ = Scope.open("attack-step")) {
        x.copy_(L1Projection.allowed(x, images, epsilon));
      }
      sparse = new SparseSteps(images, epsilon, warmStart ? x : null);
    }
    x.clamp_(0, 1);
    previous.copy_(x);
    lastWrong.copy_(x);
    try (Scope _ = Scope.open("attack-step")) {
      Values values = evaluate(true);
      best.copy_(x);
      bestGradient.copy_(gradient);
      bestLoss.copy_(values.loss);
      bestAtCheck.copy_(values.loss);
      wrong.copy_(values.wrong);
      if (attack.loss() != Apgd.Loss.CROSS_ENTROPY) {
        Tensor zero = gradient.abs().flatten(1).sum(1).gt(0).logicalNot().sum();
        flat.copy_(flat.maximum(zero.to(DType.FLOAT32)));
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
      if (sparse != null) {
        x.copy_(sparse.step(x, gradient));
        return;
      }
      Tensor moved = project(ball.step(x, gradient, stepSize));
      Tensor momentum = x.sub(previous);
      Tensor mixed = moved.sub(x).mul_(share).add_(x).add_(momentum, 1 - share);
      previous.copy_(x);
      x.copy_(project(mixed));
    }
  }

  /** What the new point is worth. */
  private void afterStep(boolean withGradient) {
    try (Scope _ = Scope.open("attack-step")) {
      Values values = evaluate(withGradient);
      lastWrong.copy_(rows(values.wrong).where(x, lastWrong));
      wrong.copy_(wrong.logicalOr(values.wrong));
      Tensor better = values.loss.gt(bestLoss);
      best.copy_(rows(better).where(x, best));
      bestGradient.copy_(rows(better).where(gradient, bestGradient));
      bestLoss.copy_(better.where(values.loss, bestLoss));
      // as in the public code, the first loss is compared with 0 and not with that of the start
      rises.add_(values.loss.gt(lossBefore).to(DType.FLOAT32));
      lossBefore.copy_(values.loss);
    }
  }

  /** Makes the steps of some images shorter, and takes some back to their best. */
  private void check(int period) {
    try (Scope _ = Scope.open("check")) {
      Tensor back = sparse == null ? halved(period) : sparse.check(best);
      x.copy_(rows(back).where(best, x));
      gradient.copy_(rows(back).where(bestGradient, gradient));
    }
  }

  /** Which images swing or stand still; their steps are halved. */
  private Tensor halved(int period) {
    Tensor oscillates = rises.gt(RISING * period).logicalNot();
    Tensor unimproved = reducedAtCheck.logicalOr(bestLoss.gt(bestAtCheck)).logicalNot();
    Tensor reduce = oscillates.logicalOr(unimproved);
    reducedAtCheck.copy_(reduce);
    bestAtCheck.copy_(bestLoss);
    rises.zero_();
    stepSize.copy_(rows(reduce).where(stepSize.mul(0.5), stepSize));
    return reduce;
  }

  private void flush() {
    broken.indexCopy_(0, index, wrong);
    adversarial.indexCopy_(0, index, lastWrong);
  }

  /** What has a row per image still attacked. */
  private Stream<Tensor> perImage() {
    Stream<Tensor> all =
        Stream.of(
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
            index);
    return Stream.concat(all, sparse == null ? Stream.of() : sparse.perImage())
        .filter(Objects::nonNull);
  }

  /** Leaves the broken images alone from now on; false if no other is left. */
  private boolean dropped() {
    try (Scope _ = Scope.open("drop")) {
      Tensor kept = wrong.logicalNot().nonzero().squeeze(1);
      if (kept.size(0) < wrong.size(0)) {
        flush();
        perImage().forEach(t -> t.setData(t.indexSelect(0, kept)));
      }
      return kept.size(0) > 0;
    }
  }

  /** A value per image [N], to be spread over its pixels. */
  static Tensor rows(Tensor perImage) {
    return perImage.view(-1, 1, 1, 1);
  }
}
