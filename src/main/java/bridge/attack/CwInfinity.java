package bridge.attack;

import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/**
 * PGD on Carlini and Wagner's margin (2017) instead of the cross-entropy, which distillation papers
 * call CW∞. Their public code has it in three forms, which give different images.
 *
 * @param stepSize in units of the pixel range [0, 1]
 * @param confidence κ: a margin below −κ is climbed no further; not used by {@link Variant#SAAD}
 */
public record CwInfinity(
    String name, Ball ball, double stepSize, int steps, double confidence, Variant variant)
    implements Attack {

  /** What the papers' scripts do; all have the network in evaluation mode. */
  public enum Variant {
    /**
     * IAD's attack_generator.py: climbs −Σ max(margin + κ, 0) from x + U(−ε, ε), clamped to [0, 1];
     * into the ball and [0, 1] after every step. κ is 50 there, so that every image moves on.
     */
    IAD(Start.UNIFORM),
    /**
     * CIARD's attack_eval.py: as IAD's, but from x itself, and pixels may leave [0, 1] until the
     * last step, after which they are clamped once.
     */
    CIARD(Start.NONE),
    /**
     * SAAD's attacks.py: climbs −Σ margin from x + U(−ε, ε), clamped to [0, 1]; only images that
     * are still classified rightly move. With restarts ({@link Restarts}) their evaluation.
     */
    SAAD(Start.UNIFORM);

    private final Start start;

    Variant(Start start) {
      this.start = start;
    }
  }

  public CwInfinity {
    ball.require(name, Norm.LINF, Norm.L2);
    if (steps < 0 || !(stepSize >= 0) || !(confidence >= 0)) {
      throw new UsageException(
          "%s needs steps, a step size and a confidence from 0 on, found %d steps of %s, confidence %s"
              .formatted(name, steps, stepSize, confidence));
    }
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope attack = Scope.open("cw")) {
      Tensor begin = variant.start.point(images, ball, noise);
      return new Perturbed(attack.keep(ascend(network, images, labels, begin)));
    }
  }

  @Override
  public boolean randomStart() {
    return variant.start != Start.NONE;
  }

  /** Climbs from a given point; with no steps this is the point, in the ball and in [0, 1]. */
  Tensor ascend(Network network, Tensor images, Tensor labels, Tensor begin) {
    try (Scope attack = Scope.open("ascent");
        Mode _ = Mode.eval(network)) {
      Objective objective =
          Objective.Form.of(network, (z, c) -> objective(z.get(0), c.get(0)).sum()).with(labels);
      return attack.keep(objective.climb(List.of(images), begin, this::climb));
    }
  }

  private Tensor climb(Objective objective, List<Tensor> fixed, Tensor begin) {
    Tensor images = fixed.get(0);
    Tensor x = begin;
    for (int i = 0; i < steps; i++) {
      try (Scope step = Scope.open("attack-step")) {
        x = step.keep(step(objective.slope(x), objective.constants().get(0), images, x));
      }
    }
    return ball.project(x, images);
  }

  private Tensor step(Objective.Slope slope, Tensor labels, Tensor images, Tensor from) {
    Tensor moved = ball.step(from, slope.gradient(), stepSize);
    return switch (variant) {
      case IAD -> ball.project(moved, images);
      case CIARD -> ball.within(moved, images);
      case SAAD -> {
        Tensor right = slope.logits().get(0).argmax(1).eq(labels).view(-1, 1, 1, 1);
        yield right.where(ball.project(moved, images), from);
      }
    };
  }

  /** What is climbed: [N], one value per image. */
  Tensor objective(Tensor logits, Tensor labels) {
    Tensor margin = Losses.margin(logits, labels);
    return variant == Variant.SAAD ? margin.neg() : margin.add(confidence).relu().neg();
  }
}
