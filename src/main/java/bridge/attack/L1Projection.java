package bridge.attack;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;

/**
 * The nearest point, in Euclidean length, of an L1 ball around an image, with [0, 1] or without
 * (Croce and Hein 2021, "Mind the box"): each difference u becomes sign(u) · min(max(|u| − λ, 0),
 * r), r being the room in its direction, with the smallest λ ≥ 0 for which they add up to ε or
 * less.
 *
 * <p>That sum falls with λ, in straight pieces. Newton's method finds the piece, and half the way
 * between what is known to be too small and too large where it would leave these; five to ten
 * rounds do. Whether they did must be looked at after each, for which a CUDA device would have to
 * be waited for; so elsewhere than on the processor all places where pieces meet are sorted, as in
 * the public code (fra31/auto-attack, autopgd_base.py, L1_projection). There the result is x + u +
 * d with d = −u for pixels that go back to x, so that rounding leaves many of them next to x; here
 * they are x.
 */
final class L1Projection {
  /** How exactly ε is met, as a share of it. */
  private static final double PRECISION = 1e-6;

  /** The same for an ε of 0. */
  private static final double TINY = 1e-9;

  /** What λ is known to, as a share of it, is the last digit of a float. */
  private static final double LAST_DIGIT = 2e-7;

  /** Newton's rounds; differences for which these were not enough are halved into. */
  private static final int NEWTON = 20;

  private static final int ROUNDS = 60;

  private L1Projection() {}

  /** In the ball around {@code images} and in [0, 1]; all [N, C, H, W]. */
  static Tensor allowed(Tensor adversarial, Tensor images, double epsilon) {
    return allowed(adversarial, images, epsilon, images.device().equals(Device.CPU));
  }

  /**
   * @param looks whether by Newton's method, else by sorting
   */
  static Tensor allowed(Tensor adversarial, Tensor images, double epsilon, boolean looks) {
    Tensor delta = adversarial.sub(images);
    Tensor room = delta.gt(0).where(images.neg().add(1), images);
    return images.add(shortened(delta, room, epsilon, looks)).clamp_(0, 1);
  }

  /** In the ball around {@code images}; pixels may leave [0, 1]. */
  static Tensor within(Tensor adversarial, Tensor images, double epsilon) {
    return within(adversarial, images, epsilon, images.device().equals(Device.CPU));
  }

  /**
   * @param looks whether by Newton's method, else by sorting
   */
  static Tensor within(Tensor adversarial, Tensor images, double epsilon, boolean looks) {
    Tensor delta = adversarial.sub(images);
    return images.add(shortened(delta, delta.abs(), epsilon, looks));
  }

  private static Tensor shortened(Tensor delta, Tensor rooms, double epsilon, boolean looks) {
    Tensor length = delta.abs().flatten(1);
    Tensor room = rooms.flatten(1);
    Tensor clipped =
        looks
            ? byNewton(length, room, epsilon)
            : clipped(length, amongAll(length, room, epsilon), room);
    Tensor rounding = clipped.sumKeep(1).clampMin(TINY).pow(-1).mul(epsilon).clamp_(0, 1);
    return clipped.mul(rounding).view(delta.sizes()).mul_(delta.sign());
  }

  private static Tensor clipped(Tensor length, Tensor lambda, Tensor room) {
    return length.sub(lambda).clampMin_(0).minimum(room);
  }

  /** What is left of lengths [N, D], with room for so much. */
  private static Tensor byNewton(Tensor length, Tensor room, double epsilon) {
    Tensor low = length.select(1, 0).unsqueeze(1).zerosLike();
    Tensor high = length.amaxKeep(1);
    Tensor lambda = low;
    Tensor clipped = length.minimum(room);
    Tensor sum = clipped.sumKeep(1);
    for (int i = 1; i <= ROUNDS; i++) {
      Tensor over = sum.sub(epsilon);
      Tensor tooLong = over.gt(0);
      low = tooLong.where(lambda, low);
      high = tooLong.where(high, lambda);
      Tensor gap = over.abs().sub(PRECISION * epsilon + TINY);
      Tensor open = high.mul(1 - LAST_DIGIT).sub(low);
      Tensor left = gap.minimum(open);
      if (left.max().item() <= 0) {
        break;
      }
      Tensor slope = room.sub(clipped).sign().mul_(clipped.sign()).sumKeep(1).clampMin_(1);
      Tensor next = lambda.add(over.div(slope));
      Tensor newton = next.gt(low).logicalAnd(high.gt(next));
      Tensor middle = low.add(high).mul(0.5);
      Tensor better = i > NEWTON ? middle : newton.where(next, middle);
      lambda = left.gt(0).where(better, lambda);
      clipped = clipped(length, lambda, room);
      sum = clipped.sumKeep(1);
    }
    return clipped;
  }

  /**
   * λ by sorting, [N, 1]: a pixel begins to get shorter where λ is its length without the part that
   * has room, and ends at its length.
   */
  private static Tensor amongAll(Tensor length, Tensor room, double epsilon) {
    Tensor ends = length.to(DType.FLOAT64);
    Tensor most = ends.minimum(room.to(DType.FLOAT64));
    Tensor places = Tensor.cat(List.of(ends.sub(most), ends), 1);
    Tensor one = ends.zerosLike().add(1);
    int last = (int) places.size(1) - 1;
    Tensor order = places.neg().topIndices(last + 1);
    Tensor at = places.gather(1, order);
    Tensor moving = Tensor.cat(List.of(one, one.neg()), 1).gather(1, order).cumsum(1);
    Tensor lost =
        at.narrow(1, 1, last).sub(at.narrow(1, 0, last)).mul_(moving.narrow(1, 0, last)).cumsum(1);
    Tensor all = most.sumKeep(1);
    Tensor sums = Tensor.cat(List.of(all, all.sub(lost)), 1);
    Tensor piece = sums.gt(epsilon).sumKeep(1).sub(1).clamp(0, last).to(DType.INT64);
    Tensor over = sums.gather(1, piece).sub(epsilon);
    Tensor lambda = at.gather(1, piece).add(over.div(moving.gather(1, piece).clampMin(1)));
    return all.gt(epsilon).where(lambda, lambda.zerosLike()).to(length.dtype());
  }
}
