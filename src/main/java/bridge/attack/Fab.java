package bridge.attack;

import bridge.UsageException;
import bridge.gradient.Pullback;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * The fast adaptive boundary attack (Croce and Hein 2020, "Minimally distorted adversarial
 * examples", algorithm 1; fra31/auto-attack, fab_base.py): looks for the nearest image that the
 * network gets wrong, by steps onto the linearised decision boundary that lean towards the image.
 *
 * <p>As an {@link Attack} it counts within the ball: what was found farther away is not given out.
 *
 * @param targeted towards each of the likeliest nine other classes in turn, else towards whichever
 *     boundary is nearest
 * @param steps 100 in AutoAttack
 * @param restarts the first is from the image itself, further ones from ε / 2 away in a random
 *     direction
 */
public record Fab(String name, Ball ball, boolean targeted, int steps, int restarts)
    implements Attack {
  static final int STEPS = 100;

  /** The most that a step leans towards the image: α_max. */
  private static final double LEANING = 0.1;

  /** How far a step goes over the boundary: η. */
  private static final double OVERSHOOT = 1.05;

  /** What of the way is kept once the network is wrong: β. */
  private static final double BACK = 0.9;

  /** Lengths below this count as this. */
  private static final double SHORTEST = 1e-8;

  /** Keeps a gradient of 0 from being divided by. */
  private static final double TINY = 1e-12;

  public Fab {
    if (steps < 1 || restarts < 1) {
      throw new UsageException(
          "%s needs 1 step and 1 restart or more, found %d and %d"
              .formatted(name, steps, restarts));
    }
  }

  /** {@code fab}, towards the nearest boundary: a gradient per class in each step. */
  public static Fab untargeted(Ball ball) {
    return new Fab("fab", ball, false, STEPS, 1);
  }

  /** {@code fab-t} of AutoAttack: one gradient in each step, but a run per target class. */
  public static Fab targeted(Ball ball) {
    return new Fab("fab-t", ball, true, STEPS, 1);
  }

  @Override
  public Optional<Attack> withRestarts(int times) {
    return Optional.of(new Fab(name, ball, targeted, steps, times));
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope attack = Scope.open("fab");
        Mode _ = Mode.eval(network)) {
      Survivors survivors = new Survivors(network, images, labels);
      int targets = targeted ? Math.min(Apgd.TARGETS, network.classes() - 1) : 1;
      for (int target = 0; target < targets; target++) {
        for (int i = 0; i < restarts && !survivors.none(); i++) {
          try (Scope _ = Scope.open("round")) {
            Tensor x = survivors.images();
            Tensor towards = targeted ? survivors.ranked(target + 2) : null;
            Tensor start = i == 0 ? x : start(x, noise);
            Nearest nearest = search(network, x, survivors.labels(), towards, start);
            survivors.update(nearest.distance.gt(ball.epsilon()).logicalNot(), nearest.images);
          }
        }
      }
      return new Perturbed(attack.keep(survivors.found()));
    }
  }

  /** The first of its runs begins at the image itself. */
  @Override
  public boolean randomStart() {
    return restarts > 1;
  }

  private Tensor start(Tensor images, Generator noise) {
    return ball.directions(images, noise).mul_(ball.epsilon() / 2).add_(images).clamp_(0, 1);
  }

  /**
   * What one run came to.
   *
   * @param images the nearest images got wrong [N, C, H, W]; where none was found, the given ones
   * @param distance how far they are [N]; infinite where none was found
   */
  record Nearest(Tensor images, Tensor distance) {}

  /**
   * One run over all the images, which the network should get right.
   *
   * @param targets int64 [N], or null for the nearest boundary
   * @param start in [0, 1]; the images themselves for no random start
   */
  Nearest search(Network network, Tensor images, Tensor labels, Tensor targets, Tensor start) {
    try (Scope search = Scope.open("search");
        Mode _ = Mode.eval(network)) {
      Search run = new Search(network, images, labels, targets, start);
      for (int i = 0; i < steps; i++) {
        try (Scope _ = Scope.open("attack-step")) {
          run.step();
        }
      }
      return new Nearest(search.keep(run.nearest), search.keep(run.distance.flatten(0)));
    }
  }

  /**
   * The decision boundary towards one class, linearised at the point: gap + normal · move = 0.
   *
   * @param gap how far its logit is above that of the label, [N]; below 0 where right
   * @param normal its gradient, [N, C, H, W]
   */
  private record Boundary(Tensor gap, Tensor normal) {}

  private final class Search {
    private final Network network;
    private final Tensor images;
    private final Tensor labels;
    private final Tensor targets;
    private final Tensor x;
    private final Tensor nearest;
    private final Tensor distance;

    Search(Network network, Tensor images, Tensor labels, Tensor targets, Tensor start) {
      this.network = network;
      this.images = images;
      this.labels = labels;
      this.targets = targets;
      this.x = start.copy();
      this.nearest = images.copy();
      this.distance =
          Tensor.full(
              Double.POSITIVE_INFINITY, DType.FLOAT32, images.device(), images.size(0), 1, 1, 1);
    }

    void step() {
      Pullback point = Pullback.at(network, x);
      Boundary boundary = targets == null ? closest(point) : towards(point);
      try (NoGrad _ = NoGrad.enter()) {
        x.copy_(moved(boundary));
        record(network.logits(x).argmax(1).ne(labels).view(-1, 1, 1, 1));
      }
    }

    private Boundary towards(Pullback point) {
      Tensor logits = point.logits();
      Tensor labelLogits = logits.gather(1, labels.unsqueeze(1));
      Tensor gap = logits.gather(1, targets.unsqueeze(1)).sub(labelLogits).squeeze(1);
      Tensor normal = point.gradient(gap.sum());
      return new Boundary(gap.detach(), normal);
    }

    /** Of the boundaries towards all other classes, the nearest by its linearisation. */
    private Boundary closest(Pullback point) {
      Tensor logits = point.logits();
      Tensor labelLogits = logits.gather(1, labels.unsqueeze(1)).squeeze(1);
      Tensor gap = labels.to(DType.FLOAT32).zero_();
      Tensor normal = x.zerosLike();
      Tensor nearest = gap.add(Double.POSITIVE_INFINITY);
      for (int k = 0; k < logits.size(1); k++) {
        try (Scope _ = Scope.open("class")) {
          Tensor classGap = logits.select(1, k).sub(labelLogits);
          Tensor gradient = point.gradientKeepingGraph(classGap.sum());
          Tensor away = classGap.detach().abs().div(dualLength(gradient).add(TINY));
          away = away.maskedFill(labels.eq(k), Double.POSITIVE_INFINITY);
          Tensor nearer = nearest.gt(away);
          gap.copy_(nearer.where(classGap.detach(), gap));
          normal.copy_(nearer.view(-1, 1, 1, 1).where(gradient, normal));
          nearest.copy_(away.minimum(nearest));
        }
      }
      return new Boundary(gap, normal);
    }

    /** The lengths [N] of gradients in the norm dual to the ball's. */
    private Tensor dualLength(Tensor gradient) {
      return switch (ball.norm()) {
        case LINF -> gradient.abs().sum(1, 2, 3);
        case L2 -> gradient.norm2Keep(1, 2, 3).flatten(0);
        case L1 -> gradient.abs().flatten(1).amaxKeep(1).flatten(0);
      };
    }

    private Tensor moved(Boundary boundary) {
      Tensor normal = boundary.normal.flatten(1);
      Tensor ways = Tensor.stack(List.of(x.flatten(1), images.flatten(1)), 0);
      Tensor atX = boundary.gap.unsqueeze(1);
      Tensor atImage = images.sub(x).flatten(1).mul(normal).sumKeep(1).add_(atX);
      Tensor moves =
          Hyperplane.moves(ball.norm(), ways, normal, Tensor.stack(List.of(atX, atImage), 0));
      Tensor fromX = moves.select(0, 0).view(x.sizes());
      Tensor fromImage = moves.select(0, 1).view(x.sizes());
      Tensor far = ball.lengths(fromX).clampMin(SHORTEST);
      Tensor weight =
          far.div(far.add(ball.lengths(fromImage).clampMin(SHORTEST))).clamp(0, LEANING);
      Tensor nearX = x.add(fromX, OVERSHOOT);
      Tensor nearImage = images.add(fromImage, OVERSHOOT);
      return nearX.mul_(weight.neg().add(1)).add_(nearImage.mul_(weight)).clamp_(0, 1);
    }

    private void record(Tensor wrong) {
      Tensor move = x.sub(images);
      Tensor length = ball.lengths(move);
      Tensor nearer = wrong.logicalAnd(distance.gt(length));
      nearest.copy_(nearer.where(x, nearest));
      distance.copy_(nearer.where(length, distance));
      x.copy_(wrong.where(images.add(move, BACK), x));
    }
  }
}
