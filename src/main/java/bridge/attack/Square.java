package bridge.attack;

import bridge.UsageException;
import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The Square Attack (Andriushchenko et al. 2020; fra31/auto-attack, square.py): random search
 * without gradients. Each query changes the images within one square, the same place for the whole
 * batch, and keeps the change where the margin gets smaller. Squares shrink by a schedule. L1 is as
 * L2 but for lengths, and that it projects into the ball, in the public code one smaller by a
 * millionth, and [0, 1] (Croce and Hein 2021, "Mind the box").
 *
 * @param queries after the first one, per restart; 5000 in AutoAttack
 * @param restarts on the images still right
 * @param rescaled whether the schedule, made for 10,000 queries, is squeezed into those there are:
 *     torchattacks and the public class by default; AutoAttack does not
 */
public record Square(String name, Ball ball, int queries, int restarts, boolean rescaled)
    implements Attack {
  private static final int QUERIES = 5000;

  /** The share of the pixels that the first squares change. */
  private static final double FIRST_SHARE = 0.8;

  /** After these many queries of 10,000 squares get half the area. */
  private static final int[] HALVINGS = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};

  /** How often broken images are taken out, after the first queries. */
  private static final int BETWEEN_DROPS = 32;

  private static final double TINY = 1e-12;

  public Square {
    if (queries < 0 || restarts < 1) {
      throw new UsageException(
          "%s needs 0 queries and 1 restart or more, found %d and %d"
              .formatted(name, queries, restarts));
    }
  }

  /** {@code square} of AutoAttack: 5000 queries, plain schedule. */
  public static Square of(Ball ball) {
    return new Square("square", ball, QUERIES, 1, false);
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope attack = Scope.open("square");
        Mode _ = Mode.eval(network);
        NoGrad _ = NoGrad.enter()) {
      Survivors survivors = new Survivors(network, images, labels);
      for (int i = 0; i < restarts && !survivors.none(); i++) {
        try (Scope _ = Scope.open("round")) {
          Search search = new Search(network, survivors.images(), survivors.labels(), noise);
          search.run();
          survivors.update(search.broken, search.found);
        }
      }
      return new Perturbed(attack.keep(survivors.found()));
    }
  }

  /** All of it is a search at random. */
  @Override
  public boolean randomStart() {
    return true;
  }

  @Override
  public Optional<Attack> withRestarts(int times) {
    return Optional.of(new Square(name, ball, queries, times, rescaled));
  }

  /** The side of the squares at this query, in pixels, before the norm's own rules. */
  int side(int query, long height, long width) {
    long place = rescaled ? (long) ((double) query / queries * 10_000) : query;
    double share = FIRST_SHARE;
    for (int halving : HALVINGS) {
      if (place > halving) {
        share /= 2;
      }
    }
    return (int) Math.rint(Math.sqrt(share * height * width));
  }

  /** One run: the best images so far, one row per image still right. */
  private final class Search {
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
    private final Tensor best;
    private final Tensor margin;
    private final Tensor index;
    final Tensor broken;
    final Tensor found;

    /** Draws from U(0, 1), a row per query, read at once. */
    private final float[] draws;

    private final int drawsPerQuery;

    /** {@link SquareBumps} of every side there is. */
    private final Map<Integer, Tensor> bumps = new HashMap<>();

    Search(Network network, Tensor images, Tensor labels, Generator noise) {
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
      drawsPerQuery = box ? 2 + (int) channels : 5;
      draws = random((long) queries * drawsPerQuery);
      if (!box) {
        for (int i = 0; i < queries; i++) {
          bumps.computeIfAbsent(oddSide(i), this::bumps);
        }
      }
    }

    private Tensor bumps(int side) {
      return Tensor.of(SquareBumps.of(ball.norm(), side), side, side).to(device);
    }

    private float[] random(long count) {
      return Tensor.uniform(0, 1, noise, device, count).toFloats();
    }

    void run() {
      try (Scope _ = Scope.open("attack-step")) {
        best.copy_(ball.norm() == Norm.LINF ? stripes() : tiles());
        margin.copy_(Losses.margin(network.logits(best), labels));
      }
      for (int i = 0; i < queries; i++) {
        if ((Integer.bitCount(i) <= 1 || i % BETWEEN_DROPS == 0) && !dropped()) {
          return;
        }
        try (Scope _ = Scope.open("attack-step")) {
          switch (ball.norm()) {
            case LINF -> queryBox(i);
            case L2, L1 -> queryRound(i);
          }
        }
      }
      flush();
    }

    /** Which of these rows take the candidates: still right, and the margin gets smaller. */
    private Tensor better(Tensor candidates, Tensor rows) {
      Tensor before = margin.indexSelect(0, rows);
      Tensor now = Losses.margin(network.logits(candidates), labels.indexSelect(0, rows));
      Tensor improved = before.gt(now).logicalAnd(before.gt(0));
      margin.indexCopy_(0, rows, improved.where(now, before));
      return improved;
    }

    private Tensor signs(long... shape) {
      return Tensor.uniform(-1, 1, noise, device, shape).sign();
    }

    private float draw(int query, int which) {
      return draws[query * drawsPerQuery + which];
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
      int side = Math.clamp(side(query, height, width), 1, Math.min(height, width));
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
      Tensor rows = changed.nonzero().squeeze(1);
      Tensor improved = changed.zerosLike();
      if (rows.size(0) > 0) {
        improved.indexCopy_(0, rows, better(best.indexSelect(0, rows), rows));
      }
      square.copy_(improved.view(-1, 1, 1, 1).where(after, before));
    }

    // ---- L2, L1: a pair of rectangles in a square, paid for by another square ----------------

    private Tensor tiles() {
      Tensor delta = images.zerosLike();
      int side = Math.max(height / 5, 1);
      int margin = Math.max((height - 5 * side) / 2, 0);
      Tensor upright = bumps(side);
      int down = Math.max((height - margin) / side, 0);
      int across = Math.max((width - margin) / side, 0);
      float[] turns = random((long) down * across);
      for (int i = 0; i < turns.length; i++) {
        int top = margin + i / across * side;
        int left = margin + i % across * side;
        Tensor tile = turned(upright, turns[i]).mul(signs(images.size(0), channels, 1, 1));
        window(delta, top, left, side).copy_(tile);
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
      int side = Math.max(side(query, height, width), 3) | 1;
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
      Tensor improved = better(candidate, Tensor.arange(margin.size(0), device));
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
}
