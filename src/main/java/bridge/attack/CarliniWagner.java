package bridge.attack;

import bridge.UsageException;
import bridge.gradient.Pullback;
import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * Carlini and Wagner's L2 attack (2017; their l2_attack.py): the nearest image that the network
 * gets wrong, or takes for a target class. Per image it minimises ‖x' − x‖² + c · max(margin + κ,
 * 0) by Adam over w, x' = (tanh w + 1) / 2, and searches for the smallest c that works.
 *
 * <p>As an {@link Attack} it counts within the ball: an image whose nearest change is longer than ε
 * stays as it was. {@link #away} and {@link #towards} give the changes themselves.
 *
 * <p>Other than theirs: an image that gets no better is left alone by itself, where their whole
 * batch stops; the first check of that has nothing to compare with and stops none; and with a
 * confidence the untargeted attack must overcome it, where theirs took it off the wrong side.
 *
 * @param searches of c; with 10 or more the last one uses the smallest c that worked, as theirs
 * @param iterations of Adam in each; theirs 10,000
 * @param learningRate theirs 0.01
 * @param confidence κ, by how much the logit of the wrong class must be larger
 * @param constant the first c; theirs 0.001
 */
public record CarliniWagner(
    Ball ball,
    int searches,
    int iterations,
    double learningRate,
    double confidence,
    double constant)
    implements Attack {
  /** Keeps pixels of 0 and 1 from an infinite w. */
  private static final double ALMOST_ONE = 0.999999;

  private static final double NO_UPPER_BOUND = 1e10;

  /** An upper bound below this has been found. */
  private static final double FOUND_UPPER_BOUND = 1e9;

  private static final int CHECKS = 10;
  private static final double BETTER = 0.9999;

  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double ADAM_EPSILON = 1e-8;

  public CarliniWagner {
    ball.require("cw-l2", Norm.L2);
    if (searches < 1 || iterations < 1 || !(learningRate > 0 && confidence >= 0 && constant > 0)) {
      throw new UsageException(
          "cw-l2 needs 1 search and 1 iteration or more, a learning rate and a constant above 0 and"
              + " a confidence from 0 on, found "
              + "%d searches of %d iterations, learning rate %s, confidence %s, constant %s"
                  .formatted(searches, iterations, learningRate, confidence, constant));
    }
  }

  /** Nine searches of so many iterations, and what else the authors chose. */
  public static CarliniWagner of(Ball ball, int iterations) {
    return new CarliniWagner(ball, 9, iterations, 0.01, 0, 1e-3);
  }

  /**
   * @param images [N, C, H, W] in [0, 1]; the given one where nothing was found
   * @param distances [N], Euclidean; infinite where nothing was found
   */
  public record Found(Tensor images, Tensor distances) {}

  @Override
  public String name() {
    return "cw-l2";
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope attack = Scope.open("cw-l2")) {
      Found found = away(network, images, labels);
      Tensor far = found.distances().gt(ball.epsilon()).view(-1, 1, 1, 1);
      return new Perturbed(attack.keep(far.where(images, found.images())));
    }
  }

  /** The nearest images found that are not taken for {@code labels} [N]; in the caller's scope. */
  public Found away(Network network, Tensor images, Tensor labels) {
    return new Search(network, images, labels, false).run();
  }

  /** The nearest images found that are taken for {@code targets} [N]; in the caller's scope. */
  public Found towards(Network network, Tensor images, Tensor targets) {
    return new Search(network, images, targets, true).run();
  }

  /** One batch: what has been found, and where the search for c stands. */
  private final class Search {
    private final Network network;
    private final Tensor originals;
    private final Tensor labels;
    private final boolean targeted;

    private Tensor origin;
    private Tensor anchor;
    private Tensor c;
    private Tensor lower;
    private Tensor upper;
    private Tensor images;
    private Tensor squares;

    Search(Network network, Tensor images, Tensor labels, boolean targeted) {
      this.network = network;
      this.originals = images;
      this.labels = labels;
      this.targeted = targeted;
    }

    private Tensor each(double value) {
      return Tensor.full(value, DType.FLOAT32, originals.device(), originals.size(0));
    }

    Found run() {
      try (Scope attack = Scope.open("search");
          Mode _ = Mode.eval(network)) {
        origin = originals.mul(2).sub(1).mul(ALMOST_ONE).atanh();
        anchor = image(origin);
        c = each(constant);
        lower = each(0);
        upper = each(NO_UPPER_BOUND);
        images = originals.copy();
        squares = each(Double.POSITIVE_INFINITY);
        for (int i = 0; i < searches; i++) {
          try (Scope _ = Scope.open("constant")) {
            if (searches >= 10 && i == searches - 1) {
              c.copy_(upper);
            }
            adjust(new Descent().run());
          }
        }
        Tensor distances = images.sub(originals).norm2Keep(1, 2, 3).flatten(0);
        Tensor none = squares.isFinite().logicalNot();
        return new Found(
            attack.keep(images), attack.keep(distances.maskedFill(none, Double.POSITIVE_INFINITY)));
      }
    }

    private static Tensor image(Tensor w) {
      return w.tanh().add(1).mul(0.5);
    }

    /** A smaller c where the last one worked, else a larger. */
    private void adjust(Tensor found) {
      upper.copy_(found.where(upper.minimum(c), upper));
      lower.copy_(found.where(lower, lower.maximum(c)));
      Tensor between = lower.add(upper).mul(0.5);
      Tensor outside = found.where(c, c.mul(10));
      c.copy_(upper.lt(FOUND_UPPER_BOUND).where(between, outside));
    }

    /** Adam for one c per image. */
    private final class Descent {
      private final Tensor change = originals.zerosLike();
      private final Tensor mean = originals.zerosLike();
      private final Tensor square = originals.zerosLike();
      private final Tensor found = each(0);
      private final Tensor improving = each(1);
      private final Tensor before = each(Double.POSITIVE_INFINITY);

      /** Whether any wrong image was found [N], bool. */
      Tensor run() {
        int between = Math.max(1, iterations / CHECKS);
        for (int i = 1; i <= iterations; i++) {
          try (Scope _ = Scope.open("attack-step")) {
            Tensor loss = step(i);
            if (i % between == 0 && i < iterations && !anyImproving(loss)) {
              break;
            }
          }
        }
        return found.gt(0);
      }

      private boolean anyImproving(Tensor loss) {
        improving.mul_(before.mul(BETTER).gt(loss).to(DType.FLOAT32));
        before.copy_(loss);
        return improving.max().item() > 0;
      }

      private Tensor step(int number) {
        Tensor w = origin.add(change).requiresGrad_(true);
        Tensor x = image(w);
        Optional<Pullback> point = Pullback.compiled(network, x);
        Tensor logits = point.map(Pullback::logits).orElseGet(() -> network.logits(x));
        Tensor margin = Losses.margin(logits, labels);
        Tensor ahead = targeted ? margin.neg() : margin;
        Tensor distance = x.sub(anchor).pow(2).sum(1, 2, 3);
        Tensor penalty = ahead.add(confidence).relu().mul(c);
        Tensor loss = distance.add(penalty);
        Tensor gradient =
            point
                .map(p -> distance.add(x.mul(p.gradient(penalty.sum())).sum(1, 2, 3)))
                .orElse(loss)
                .sum()
                .gradient(w);
        try (NoGrad _ = NoGrad.enter()) {
          record(x, distance, ahead.lt(-confidence));
          mean.lerp_(gradient, 1 - BETA1);
          square.mul_(BETA2).addcmul_(gradient, gradient, 1 - BETA2);
          Tensor deviation = square.div(1 - Math.pow(BETA2, number)).sqrt().add_(ADAM_EPSILON);
          Tensor move = mean.div(deviation).mul_(improving.view(-1, 1, 1, 1));
          change.add_(move, -learningRate / (1 - Math.pow(BETA1, number)));
        }
        return loss.detach();
      }

      private void record(Tensor x, Tensor distance, Tensor wrong) {
        found.copy_(found.maximum(wrong.to(DType.FLOAT32)));
        Tensor nearer = wrong.logicalAnd(squares.gt(distance));
        squares.copy_(nearer.where(distance, squares));
        images.copy_(nearer.view(-1, 1, 1, 1).where(x, images));
      }
    }
  }
}
