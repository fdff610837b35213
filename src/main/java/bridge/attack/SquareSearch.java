package bridge.attack;

import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** One run of {@link Square}: the best images so far, one row per image still right. */
final class SquareSearch {
  /** How often broken images are taken out, after the first queries. */
  private static final int BETWEEN_DROPS = 32;

  private static final double TINY = 1e-12;

  private final Square square;
  private final Ball ball;
  private final Network network;
  private final Generator noise;
  private final Tensor images;
  private final Tensor labels;
  private final long channels;
  private final int height;
  private final int width;
  private final Device device;

  private final Tensor low;
  private final Tensor high;
  final Tensor best;
  private final Tensor margin;
  private final Tensor index;
  final Tensor broken;
  final Tensor found;

  private final float[] draws;
  private final boolean looks;

  /** {@link SquareBumps} of every side there is. */
  private final Map<Integer, Tensor> bumps = new HashMap<>();

  /** What the first images are laid out with; null for L∞. */
  private final Tensor tile;

  /**
   * @param draws from U(0, 1), a row per query, read at once
   * @param looks whether a query is asked only about images that it changes, for which it must be
   *     read which they are
   */
  SquareSearch(
      Square square,
      Network network,
      Tensor images,
      Tensor labels,
      Generator noise,
      float[] draws,
      boolean looks) {
    this.square = square;
    this.ball = square.ball();
    this.network = network;
    this.images = images;
    this.labels = labels;
    this.noise = noise;
    this.device = images.device();
    this.channels = images.size(1);
    this.height = (int) images.size(2);
    this.width = (int) images.size(3);
    boolean box = ball.norm() == Norm.LINF;
    low = box ? images.sub(ball.epsilon()).clamp_(0, 1) : null;
    high = box ? images.add(ball.epsilon()).clamp_(0, 1) : null;
    best = images.copy();
    found = images.copy();
    margin = Tensor.full(0, DType.FLOAT32, device, images.size(0));
    broken = margin.gt(0);
    index = Tensor.arange(images.size(0), device);
    this.draws = draws;
    this.looks = looks;
    tile = box ? null : bumps(Math.max(height / 5, 1));
    if (!box) {
      for (int i = 0; i < square.queries(); i++) {
        bumps.computeIfAbsent(oddSide(i), this::bumps);
      }
    }
  }

  private Tensor bumps(int side) {
    return Tensor.of(SquareBumps.of(ball.norm(), side), side, side).to(device);
  }

  void begin() {
    try (Scope _ = Scope.open("attack-step")) {
      best.copy_(ball.norm() == Norm.LINF ? stripes() : tiles());
      margin.copy_(Losses.margin(network.logits(best), labels));
    }
  }

  void run() {
    begin();
    for (int i = 0; i < square.queries(); i++) {
      if ((Integer.bitCount(i) <= 1 || i % BETWEEN_DROPS == 0) && !dropped()) {
        return;
      }
      query(i);
    }
    flush();
  }

  void query(int number) {
    try (Scope _ = Scope.open("attack-step")) {
      switch (ball.norm()) {
        case LINF -> queryBox(number);
        case L2, L1 -> queryRound(number);
      }
    }
  }

  /** Which images take the candidates: still right, and the margin gets smaller. */
  private Tensor better(Tensor candidates) {
    Tensor now = Losses.margin(network.logits(candidates), labels);
    Tensor improved = margin.gt(now).logicalAnd(margin.gt(0));
    margin.copy_(improved.where(now, margin));
    return improved;
  }

  /** The same of some images, of which this asks the network alone; the others do not. */
  private Tensor betterOf(Tensor changed) {
    Tensor rows = changed.nonzero().squeeze(1);
    Tensor improved = changed.zerosLike();
    if (rows.size(0) > 0) {
      Tensor before = margin.indexSelect(0, rows);
      Tensor candidates = best.indexSelect(0, rows);
      Tensor now = Losses.margin(network.logits(candidates), labels.indexSelect(0, rows));
      Tensor smaller = before.gt(now).logicalAnd(before.gt(0));
      margin.indexCopy_(0, rows, smaller.where(now, before));
      improved.indexCopy_(0, rows, smaller);
    }
    return improved;
  }

  private Tensor signs(long... shape) {
    return Tensor.uniform(-1, 1, noise, device, shape).sign();
  }

  private float draw(int query, int which) {
    return draws[query * square.drawsPerQuery(images) + which];
  }

  // ---- L∞: a square of ε or −ε in each channel ---------------------------------------------

  private Tensor stripes() {
    Tensor up = signs(images.size(0), channels, 1, width).gt(0).expand(images.sizes());
    return up.where(high, low);
  }

  /**
   * The square is written into {@link #best} and taken back where it was no better. Where it
   * changes nothing the answer is known; with one channel that is a quarter of all questions.
   */
  private void queryBox(int query) {
    int side = Math.clamp(square.side(query, height, width), 1, Math.min(height, width));
    int top = (int) (draw(query, 0) * (height - side));
    int left = (int) (draw(query, 1) * (width - side));
    Tensor square = window(best, top, left, side);
    Tensor before = square.copy();
    for (int c = 0; c < channels; c++) {
      Tensor edge = draw(query, 2 + c) < 0.5 ? low : high;
      square.narrow(1, c, 1).copy_(window(edge, top, left, side).narrow(1, c, 1));
    }
    Tensor after = square.copy();
    Tensor changed = after.sub(before).abs().flatten(1).amaxKeep(1).squeeze(1).gt(0);
    Tensor improved = looks ? betterOf(changed) : better(best).logicalAnd(changed);
    square.copy_(improved.view(-1, 1, 1, 1).where(after, before));
  }

  // ---- L2, L1: a pair of rectangles in a square, paid for by another square ----------------

  private Tensor tiles() {
    Tensor delta = images.zerosLike();
    int side = Math.max(height / 5, 1);
    int margin = Math.max((height - 5 * side) / 2, 0);
    int down = Math.max((height - margin) / side, 0);
    int across = Math.max((width - margin) / side, 0);
    Tensor turns = Tensor.uniform(0, 1, noise, device, (long) down * across).gt(0.5);
    Tensor lying = tile.transpose(0, 1);
    for (int i = 0; i < turns.size(0); i++) {
      int top = margin + i / across * side;
      int left = margin + i % across * side;
      Tensor bump = turns.select(0, i).where(lying, tile);
      Tensor signed = bump.mul(signs(images.size(0), channels, 1, 1));
      window(delta, top, left, side).copy_(signed);
    }
    return allowed(delta);
  }

  private static Tensor turned(Tensor bumps, float draw) {
    return draw > 0.5 ? bumps.transpose(0, 1) : bumps;
  }

  /** For L2 all the way to the edge of the ball. */
  private Tensor allowed(Tensor delta) {
    if (ball.norm() == Norm.L1) {
      return ball.project(delta.add_(images), images);
    }
    Tensor length = delta.norm2Keep(1, 2, 3).add(TINY);
    return delta.mul(length.pow(-1).mul(ball.epsilon())).add_(images).clamp_(0, 1);
  }

  /** What differences use up of the ball: their squares, for L1 themselves; summed over dims. */
  private Tensor used(Tensor delta, int... dims) {
    return (ball.norm() == Norm.L1 ? delta.abs() : delta.pow(2)).sumKeep(dims);
  }

  /** How long they are in each channel, for what these use up: [N, C, 1, 1]. */
  private Tensor length(Tensor used) {
    return ball.norm() == Norm.L1 ? used : used.sqrt();
  }

  private Tensor unit(Tensor square) {
    return square.div(length(used(square, 2, 3)).add(TINY));
  }

  private int oddSide(int query) {
    int side = Math.max(square.side(query, height, width), 3) | 1;
    int longest = Math.min(height, width);
    return Math.min(side, longest % 2 == 1 ? longest : longest - 1);
  }

  private void queryRound(int query) {
    int side = oddSide(query);
    int top = (int) (draw(query, 0) * (height - side));
    int left = (int) (draw(query, 1) * (width - side));
    int top2 = (int) (draw(query, 2) * (height - side));
    int left2 = (int) (draw(query, 3) * (width - side));
    Tensor delta = best.sub(images);
    double epsilon = ball.epsilon();
    double all = ball.norm() == Norm.L1 ? epsilon : epsilon * epsilon;
    Tensor unused = used(delta, 1, 2, 3).neg().add(all).clampMin_(0);

    Tensor square = window(delta, top, left, side);
    Tensor before = square.copy();
    square.zero_();
    Tensor other = window(delta, top2, left2, side);
    Tensor share = used(before, 2, 3).add_(used(other, 2, 3)).add_(unused.mul(1.0 / channels));
    other.zero_();

    Tensor bump =
        turned(bumps.get(side), draw(query, 4)).mul(signs(images.size(0), channels, 1, 1));
    bump = bump.add_(unit(before));
    if (ball.norm() == Norm.L1) {
      share.mul_(channels); // as in the public code, though it is more than there is
    }
    square.copy_(unit(bump).mul_(length(share)));
    Tensor candidate = allowed(delta);
    Tensor improved = better(candidate);
    best.copy_(improved.view(-1, 1, 1, 1).where(candidate, best));
  }

  // ---- bookkeeping -------------------------------------------------------------------------

  private static Tensor window(Tensor of, int top, int left, int side) {
    return of.narrow(2, top, side).narrow(3, left, side);
  }

  private void flush() {
    broken.indexCopy_(0, index, margin.gt(0).logicalNot());
    found.indexCopy_(0, index, best);
  }

  /** Leaves the broken images alone from now on; false if no other is left. */
  private boolean dropped() {
    try (Scope _ = Scope.open("drop")) {
      Tensor kept = margin.gt(0).nonzero().squeeze(1);
      if (kept.size(0) < margin.size(0)) {
        flush();
        Stream.of(images, labels, low, high, best, margin, index)
            .filter(Objects::nonNull)
            .forEach(t -> t.setData(t.indexSelect(0, kept)));
      }
      return kept.size(0) > 0;
    }
  }
}
