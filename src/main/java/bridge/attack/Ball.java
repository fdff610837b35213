package bridge.attack;

import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.Tensor;

/**
 * The perturbations allowed: at most {@code epsilon} in this norm, and pixels stay in [0, 1].
 *
 * @param epsilon in units of the pixel range [0, 1]; from 0 to 1 for L∞, to 1000 for L2
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

  /** The steepest step of this length: its sign times the length for L∞, its direction for L2. */
  Tensor step(Tensor from, Tensor gradient, double length) {
    return switch (norm) {
      case LINF -> from.add(gradient.sign(), length);
      case L2 -> from.add(gradient.div(gradient.norm2Keep(1, 2, 3).clampMin(TINY)), length);
    };
  }

  /** The nearest allowed image: back into the ball around {@code images}, then into [0, 1]. */
  Tensor project(Tensor adversarial, Tensor images) {
    return switch (norm) {
      case LINF -> adversarial.clamp(images.sub(epsilon), images.add(epsilon)).clamp_(0, 1);
      case L2 -> {
        Tensor delta = adversarial.sub(images);
        Tensor shrink = delta.norm2Keep(1, 2, 3).clampMin(TINY).pow(-1).mul(epsilon).clamp(0, 1);
        yield images.add(delta.mul(shrink)).clamp_(0, 1);
      }
    };
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
    };
  }
}
