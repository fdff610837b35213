package bridge.attack;

import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The perturbations allowed: at most {@code epsilon} in this norm, and pixels stay in [0, 1].
 *
 * @param epsilon in units of the pixel range [0, 1]; from 0 to 1 for L∞, to 1000 for L2 and L1
 */
public record Ball(Norm norm, double epsilon) {
  /** Below this a gradient's length counts as 0, so that nothing is divided by it. */
  private static final double TINY = 1e-12;

  public Ball {
    int largest = norm == Norm.LINF ? 1 : 1000;
    if (!(epsilon >= 0 && epsilon <= largest)) {
      throw new UsageException(
          "epsilon must be from 0 to %d for %s, found %s; write 8/255 for 8 grey levels"
              .formatted(largest, norm, epsilon));
    }
  }

  /**
   * For attacks that have a published form in some norms only.
   *
   * @throws UsageException naming what there is in this norm, if it is none of these
   */
  void require(String attack, Norm... norms) {
    if (!List.of(norms).contains(norm)) {
      throw new UsageException(
          "%s has no published form in %s; choose norm %s, or for norm %s %s"
              .formatted(
                  attack,
                  norm,
                  Stream.of(norms).map(Norm::text).collect(Collectors.joining(" or ")),
                  norm.text(),
                  String.join(", ", Attacks.names(norm))));
    }
  }

  private static IllegalStateException noForm() {
    return new IllegalStateException("this has no form in L1; attacks refuse it before");
  }

  /** The steepest step of this length: its sign times the length for L∞, its direction for L2. */
  Tensor step(Tensor from, Tensor gradient, double length) {
    return switch (norm) {
      case LINF -> from.add(gradient.sign(), length);
      case L2 -> from.add(gradient.div(gradient.norm2Keep(1, 2, 3).clampMin(TINY)), length);
      case L1 -> throw noForm();
    };
  }

  /**
   * An allowed image: back into the ball around {@code images}, then into [0, 1]; for L1 the
   * nearest in Euclidean length that is in both.
   */
  Tensor project(Tensor adversarial, Tensor images) {
    return norm == Norm.L1
        ? L1Projection.allowed(adversarial, images, epsilon)
        : within(adversarial, images).clamp_(0, 1);
  }

  /**
   * What {@link #project} needs of the images, computed once for many steps: in L∞ the least and
   * the most that each pixel may be.
   */
  List<Tensor> bounds(Tensor images) {
    return norm == Norm.LINF
        ? List.of(images.sub(epsilon).clamp_(0, 1), images.add(epsilon).clamp_(0, 1))
        : List.of(images);
  }

  /** As {@link #project}, the same bits, around images in [0, 1] of these {@link #bounds}. */
  Tensor projectWithin(Tensor adversarial, List<Tensor> bounds) {
    return norm == Norm.LINF
        ? adversarial.clamp(bounds.get(0), bounds.get(1))
        : project(adversarial, bounds.get(0));
  }

  /** Back into the ball around {@code images}; pixels may leave [0, 1]. A new tensor. */
  Tensor within(Tensor adversarial, Tensor images) {
    return switch (norm) {
      case LINF -> adversarial.clamp(images.sub(epsilon), images.add(epsilon));
      case L2 -> {
        Tensor delta = adversarial.sub(images);
        Tensor shrink = delta.norm2Keep(1, 2, 3).clampMin(TINY).pow(-1).mul(epsilon).clamp(0, 1);
        yield images.add(delta.mul(shrink));
      }
      case L1 -> L1Projection.within(adversarial, images, epsilon);
    };
  }

  /** As {@link #step(Tensor, Tensor, double)}, a length per image [N, 1, 1, 1]. */
  Tensor step(Tensor from, Tensor gradient, Tensor lengths) {
    return switch (norm) {
      case LINF -> gradient.sign().mul_(lengths).add_(from);
      case L2 -> gradient.div(gradient.norm2Keep(1, 2, 3).add(TINY)).mul_(lengths).add_(from);
      case L1 -> throw noForm();
    };
  }

  /** How long these differences [N, C, H, W] are, [N, 1, 1, 1]. */
  public Tensor lengths(Tensor delta) {
    return switch (norm) {
      case LINF -> delta.abs().flatten(1).amaxKeep(1).view(-1, 1, 1, 1);
      case L2 -> delta.norm2Keep(1, 2, 3);
      case L1 -> delta.abs().sumKeep(1, 2, 3);
    };
  }

  /** Differences of length 1 drawn at random, the shape of {@code images}: uniform or normal. */
  Tensor directions(Tensor images, Generator noise) {
    Tensor drawn = images.emptyLike();
    switch (norm) {
      case LINF -> drawn.uniform_(-1, 1, noise);
      case L2, L1 -> drawn.normal_(0, 1, noise);
    }
    return drawn.div(lengths(drawn).add(TINY));
  }

  /** Images moved by a draw from the whole ball, evenly; not clamped to [0, 1]. */
  Tensor uniform(Tensor images, Generator noise) {
    Tensor moved = images.emptyLike();
    return switch (norm) {
      case LINF -> moved.uniform_(-epsilon, epsilon, noise).add_(images);
      case L2 -> {
        moved.normal_(0, 1, noise);
        long pixels = images.numel() / images.size(0);
        Tensor radius =
            Tensor.empty(DType.FLOAT32, images.device(), images.size(0), 1, 1, 1)
                .uniform_(0, 1, noise)
                .pow(1.0 / pixels)
                .mul(epsilon);
        yield moved.mul_(radius.div(moved.norm2Keep(1, 2, 3).clampMin(TINY))).add_(images);
      }
      case L1 -> throw noForm();
    };
  }
}
