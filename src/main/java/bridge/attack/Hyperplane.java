package bridge.attack;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;

/**
 * The shortest moves onto hyperplanes that stay in [0, 1] (Croce and Hein 2020, "Minimally
 * distorted adversarial examples", problem 4).
 *
 * <p>With q the sign of the way to the plane and r the room a pixel has in that direction, the move
 * is −q · min(λ, r) for L∞ and −q · min(λ |w|, r) for L2, λ being the smallest number that reaches
 * the plane. What is reached is concave in λ and piecewise linear, so Newton's method from λ = 0
 * climbs to it and is exact after finitely many steps. Whether it is there must be looked at after
 * each, for which a CUDA device would have to be waited for; so elsewhere than on the processor the
 * pixels are sorted by where they run out of room and the piece is found among all of them, as in
 * the public code. For L1 the pixels of the largest |w| go all the way r, one after the other, and
 * the last of them as far as it takes. For L2 and L1 the public code leaves pixels with |w| &lt;
 * 1e-8 where they are.
 */
final class Hyperplane {
  private static final double TINY = 1e-30;

  /** λ goes no farther, with the largest |w| scaled to 1: more than any room is used up there. */
  private static final double FARTHEST = 1e12;

  /** Newton steps at most; images take three or four. */
  private static final int STEPS = 30;

  /** Newton's method ends when no λ moves by more than this share of itself. */
  private static final double STILL = 1e-6;

  private Hyperplane() {}

  /**
   * @param points [P, N, D] in [0, 1]
   * @param normal w [N, D]; nothing moves where it is 0
   * @param gap w · point − b, [P, N, 1]: how far each point is from its plane, times the length of
   *     w
   * @return moves [P, N, D] onto the plane w · x = b, or as near to it as [0, 1] lets them
   */
  static Tensor moves(Norm norm, Tensor points, Tensor normal, Tensor gap) {
    return moves(norm, points, normal, gap, points.device().equals(Device.CPU));
  }

  /**
   * @param looks whether by Newton's method, else by sorting
   */
  static Tensor moves(Norm norm, Tensor points, Tensor normal, Tensor gap, boolean looks) {
    Tensor side = gap.sign().mul(2).add(1).sign(); // 1 at the plane itself
    Tensor way = normal.sign().mul(side);
    Tensor room = way.mul(points).maximum(way.mul(points.sub(1)));
    Tensor weight = normal.abs();
    Tensor largest = weight.amaxKeep(-1);
    largest = largest.maskedFill(largest.eq(0), 1);
    weight.mul_(largest.pow(-1));
    Tensor need = gap.abs().div(largest);
    if (norm == Norm.L1) {
      return way.mul_(oneByOne(need, room, weight)).neg_();
    }
    Tensor lambda = looks ? climbed(norm, need, room, weight) : amongAll(norm, need, room, weight);
    return way.mul_(room.minimum(reach(norm, lambda, weight))).neg_();
  }

  /** λ by Newton's method, [P, N, 1]. */
  private static Tensor climbed(Norm norm, Tensor need, Tensor room, Tensor weight) {
    Tensor all = room.mul(weight).sumKeep(-1);
    Tensor lambda = step(norm, need, room, weight);
    for (int i = 0; i < STEPS; i++) {
      try (Scope _ = Scope.open("newton")) {
        Tensor rest = room.sub(reach(norm, lambda, weight)).clampMin_(0);
        Tensor missing = need.sub(all).add_(rest.mul(weight).sumKeep(-1)).clampMin_(0);
        Tensor step = step(norm, missing, rest, weight);
        lambda.add_(step);
        if (i > 0 && step.sub(lambda.mul(STILL)).max().item() <= 0) {
          break;
        }
      }
    }
    return lambda;
  }

  /**
   * λ by sorting, [P, N, 1]. With b the λ at which a pixel runs out of room and s how much a unit
   * of λ reaches by it before, all that run out earlier reach Σ s b, and the others λ Σ s.
   */
  private static Tensor amongAll(Norm norm, Tensor need, Tensor room, Tensor weight) {
    Tensor w = weight.to(DType.FLOAT64).expand(room.sizes());
    Tensor r = room.to(DType.FLOAT64);
    Tensor gains = r.mul(w);
    Tensor ends = norm == Norm.L2 ? r.div(w.clampMin(TINY)).clamp_(0, FARTHEST) : r;
    Tensor order = ends.neg().topIndices((int) ends.size(-1));
    Tensor b = ends.gather(-1, order);
    Tensor s = (norm == Norm.L2 ? w.mul(w) : w).gather(-1, order);
    Tensor reached = gains.gather(-1, order);
    Tensor before = reached.cumsum(-1).sub(reached);
    Tensor slope = s.sumKeep(-1).sub(s.cumsum(-1)).add_(s);
    Tensor atEnd = before.add(slope.mul(b));
    Tensor wanted = need.to(DType.FLOAT64);
    Tensor piece = wanted.gt(atEnd).sumKeep(-1).clamp(0, b.size(-1) - 1.0).to(DType.INT64);
    Tensor missing = wanted.sub(before.gather(-1, piece));
    Tensor lambda = missing.div(slope.gather(-1, piece).clampMin(TINY));
    return lambda.minimum(b.gather(-1, piece)).clamp_(0, FARTHEST).to(room.dtype());
  }

  /** How far each pixel goes, [P, N, D], those of the largest weight first. */
  private static Tensor oneByOne(Tensor need, Tensor room, Tensor weight) {
    Tensor order = weight.topIndices((int) weight.size(-1));
    Tensor places = order.unsqueeze(0).expand(room.sizes());
    Tensor most = room.gather(-1, places);
    Tensor heaviest = weight.gather(-1, order);
    Tensor gains = most.mul(heaviest);
    Tensor missing = need.sub(gains.cumsum(-1).sub(gains)).clampMin_(0);
    Tensor moves = missing.div(heaviest.clampMin(TINY)).minimum(most).mul(heaviest.sign());
    return room.scatter(-1, places, moves);
  }

  /** How far a pixel moves for λ if it has the room. */
  private static Tensor reach(Norm norm, Tensor lambda, Tensor weight) {
    return norm == Norm.L2 ? weight.mul(lambda) : lambda;
  }

  /** How much more λ it takes by the slope of those with room left; 0 where there are none. */
  private static Tensor step(Norm norm, Tensor missing, Tensor rest, Tensor weight) {
    Tensor free = rest.sign().mul_(weight);
    Tensor slope = (norm == Norm.L2 ? free.mul_(weight) : free).sumKeep(-1);
    return missing.div(slope.clampMin(TINY)).clamp_(0, FARTHEST).mul_(slope.sign());
  }
}
