package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The schedule, the shapes and the questions of the Square Attack. */
class SquareTest {
  private static final Ball BALL = new Ball(Norm.LINF, 0.1);

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @CsvSource({"LINF, 1", "LINF, 3", "L2, 1", "L1, 3"})
  void askingAboutAllImagesFindsTheSame(Norm norm, int channels) {
    int pixels = channels * 64;
    double epsilon = norm == Norm.LINF ? 0.1 : norm == Norm.L2 ? 0.8 : 6;
    Square attack = new Square("square", new Ball(norm, epsilon), 60, 1, true);
    Tensor weight = Tensor.randn(Samples.noise(1), Device.CPU, 5, pixels);
    LinearNetwork network = new LinearNetwork(weight, weight.select(1, 0).zerosLike());
    Tensor images = Samples.random(2, 7, channels, 8, 8);
    List<float[]> found = new ArrayList<>();
    try (NoGrad _ = NoGrad.enter()) {
      Tensor labels = network.logits(images).argmax(1);
      float[] draws = Samples.random(3, 60 * 5).toFloats();
      for (boolean looks : new boolean[] {true, false}) {
        SquareSearch search =
            new SquareSearch(
                attack, network, images.copy(), labels.copy(), Samples.noise(4), draws, looks);
        search.run();
        assertTrue(search.found.ne(images).sum().itemLong() > 0);
        found.add(search.found.toFloats());
      }
    }
    assertArrayEquals(found.get(0), found.get(1));
  }

  private static int[] sides(Square attack, int... queries) {
    return IntStream.of(queries).map(query -> attack.side(query, 32, 32)).toArray();
  }

  @Test
  void squaresShrinkAsInThePublicCode() {
    Square plain = new Square("square", BALL, 10_000, 1, false);
    assertArrayEquals(
        new int[] {29, 29, 20, 20, 14, 14, 10, 10, 7, 7, 5, 5, 4, 4, 3, 3, 2, 2, 1},
        sides(
            plain, 0, 10, 11, 50, 51, 200, 201, 500, 501, 1000, 1001, 2000, 2001, 4000, 4001, 6000,
            6001, 8000, 8001));
  }

  /** What 100 queries come to, with each schedule. */
  @Test
  void theRescaledScheduleIsAnotherAttack() {
    Square rescaled = new Square("square", BALL, 100, 1, true);
    assertArrayEquals(
        new int[] {29, 14, 14, 10, 10, 7, 7, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1},
        sides(rescaled, 0, 1, 2, 3, 5, 6, 10, 11, 20, 21, 40, 41, 60, 61, 80, 81, 99));
    Square plain = new Square("square", BALL, 100, 1, false);
    assertArrayEquals(new int[] {29, 29, 20, 20, 14, 14}, sides(plain, 0, 10, 11, 50, 51, 99));
  }

  @ParameterizedTest
  @CsvSource({
    "L2, 1", "L2, 2", "L2, 3", "L2, 5", "L2, 6", "L2, 13", "L2, 25", "L1, 1", "L1, 2", "L1, 3",
    "L1, 6", "L1, 25"
  })
  void bumpsHaveLengthOneAndOppositeHalves(Norm norm, int side) {
    float[] bumps = SquareBumps.of(norm, side);
    double length = 0;
    double upper = 0;
    for (int i = 0; i < bumps.length; i++) {
      boolean above = i / side < side / 2;
      assertTrue(above ? bumps[i] > 0 : bumps[i] < 0, "pixel " + i);
      double used = norm == Norm.L1 ? Math.abs(bumps[i]) : bumps[i] * bumps[i];
      length += used;
      upper += above ? used : 0;
    }
    assertEquals(1, length, 1e-6);
    assertEquals(side == 1 ? 0 : 0.5, upper, 1e-6);
  }

  /** Worked out by hand: rings of 1 + 1/4 and of 1/4, above; below also those of 1/9. */
  @Test
  void bumpsFallOffInConcentricSquares() {
    float[] bumps = SquareBumps.of(Norm.L2, 3);
    double above = Math.sqrt(2 * (1.25 * 1.25 + 0.25 * 0.25 * 2));
    assertEquals(1.25 / above, bumps[1], 1e-6);
    assertEquals(0.25 / above, bumps[0], 1e-6);
    double below = Math.sqrt(2 * (1.25 * 1.25 + 0.25 * 0.25 * 5));
    assertEquals(-1.25 / below, bumps[7], 1e-6);
    assertEquals(-0.25 / below, bumps[4], 1e-6);
    assertEquals(-0.25 / below, bumps[8], 1e-6);
  }

  /** Rings of 1 + 1/16 and of 1/16; each half adds up to 1/2. */
  @Test
  void bumpsFallOffFasterInL1() {
    double above = 2 * (17 + 2);
    double below = 2 * (17 + 5);
    float[] expected = {
      (float) (1 / above), (float) (17 / above), (float) (1 / above),
      (float) (-1 / below), (float) (-1 / below), (float) (-1 / below),
      (float) (-1 / below), (float) (-17 / below), (float) (-1 / below)
    };
    assertArrayEquals(expected, SquareBumps.of(Norm.L1, 3), 1e-6f);
  }

  private static double radius(Norm norm, double linf, double l2, double l1) {
    return switch (norm) {
      case LINF -> linf;
      case L2 -> l2;
      case L1 -> l1;
    };
  }

  /** Remembers what it was asked about; gives the margin only to look at. */
  private static final class Asked extends Altered {
    private final List<Tensor> images = new ArrayList<>();
    private final Scope home;

    Asked(Network of, Scope home) {
      super(of);
      this.home = home;
    }

    @Override
    Tensor answer(Tensor at, Tensor logits) {
      images.add(home.adopt(at.copy()));
      return logits;
    }
  }

  private static LinearNetwork linear(int channels, int size) {
    Tensor weight =
        Tensor.randn(Samples.noise(1), Device.CPU, 4, (long) channels * size * size).mul(0.1);
    Tensor bias = Tensor.of(new float[] {100, 0, 0, 0}, 4); // never wrong
    return new LinearNetwork(weight, bias);
  }

  /** With eight channels hardly any square is one that is there already. */
  @ParameterizedTest
  @EnumSource(Norm.class)
  void everyQueryIsAllowedAndNoneIsLost(Norm norm) {
    Asked network = new Asked(linear(8, 10), scope);
    Tensor images = Samples.random(2, 4, 8, 10, 10);
    Tensor labels = Tensor.of(new long[4], 4);
    Ball ball = new Ball(norm, radius(norm, 0.1, 1, 9));
    Square attack = new Square("square", ball, 40, 1, true);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(3)).images();
    assertArrayEquals(images.toFloats(), made.toFloats()); // nothing was found
    assertEquals(1 + 1 + 40, network.images.size()); // the images, the start, the queries
    for (Tensor asked : network.images.subList(1, 42)) {
      assertTrue(ball.lengths(asked.sub(images)).max().item() <= ball.epsilon() * (1 + 1e-5));
      assertTrue(asked.min().item() >= 0 && asked.max().item() <= 1);
    }
  }

  /** One pixel wide and high: half of the queries would change nothing. */
  @Test
  void theNetworkIsNotAskedTheSameAgain() {
    Asked network = new Asked(linear(1, 1), scope);
    Tensor images = Samples.random(11, 8, 1, 1, 1);
    new Square("square", BALL, 200, 1, false)
        .perturb(network, images, Tensor.of(new long[8], 8), Samples.noise(12));
    long asked = network.images.stream().mapToLong(t -> t.size(0)).sum() - 16;
    assertTrue(asked > 0 && asked < 8 * 190, "asked " + asked);
  }

  /** A query changes one square of what was best before, for L∞ to ε or −ε in each channel. */
  @Test
  void aQueryChangesOneSquare() {
    Asked network = new Asked(linear(8, 10), scope);
    Tensor images = Samples.random(4, 1, 8, 10, 10);
    Tensor labels = Tensor.of(new long[1], 1);
    new Square("square", BALL, 60, 1, false)
        .perturb(network, images, labels, Samples.noise(6))
        .images();
    assertEquals(62, network.images.size());
    Tensor high = images.add(0.1).clamp(0, 1);
    Tensor low = images.sub(0.1).clamp(0, 1);
    Tensor best = network.images.get(1);
    assertEquals(0, best.sub(high).abs().minimum(best.sub(low).abs()).max().item(), 1e-7);
    int kept = 0;
    Set<Integer> places = new TreeSet<>();
    for (int query = 0; query < 60; query++) {
      Tensor asked = network.images.get(2 + query);
      assertEquals(0, asked.sub(high).abs().minimum(asked.sub(low).abs()).max().item(), 1e-7);
      int side = new Square("square", BALL, 60, 1, false).side(query, 10, 10);
      Tensor changed = asked.sub(best).abs().sum(0, 1);
      assertTrue(end(changed.sum(0)) - start(changed.sum(0)) <= side, "columns");
      assertTrue(end(changed.sum(1)) - start(changed.sum(1)) <= side, "rows");
      places.add(start(changed.sum(0)));
      places.add(100 + start(changed.sum(1)));
      if (margin(network, asked) < margin(network, best)) {
        best = asked;
        kept++;
      }
    }
    assertTrue(kept > 1, "kept " + kept);
    assertTrue(places.size() > 8, () -> "always at the same places: " + places);
  }

  private static double margin(Asked network, Tensor at) {
    try (NoGrad _ = NoGrad.enter()) {
      double margin = Losses.margin(network.logits(at), Tensor.of(new long[1], 1)).item();
      network.images.removeLast();
      return margin;
    }
  }

  /** The first place that changed. */
  private static int start(Tensor sums) {
    double[] all = sums.toDoubles();
    return IntStream.range(0, all.length).filter(i -> all[i] > 1e-7).findFirst().orElse(0);
  }

  /** The place after the last that changed. */
  private static int end(Tensor sums) {
    double[] all = sums.toDoubles();
    return 1 + IntStream.range(0, all.length).filter(i -> all[i] > 1e-7).max().orElse(-1);
  }

  /** With one channel what the squares get is what they and the ball leave: the rest stays. */
  @ParameterizedTest
  @CsvSource({"L2, 1.5", "L1, 6"})
  void aQueryChangesTwoSquares(Norm norm, double epsilon) {
    Asked network = new Asked(linear(1, 20), scope);
    Tensor images = Samples.random(9, 1, 1, 20, 20);
    Tensor labels = Tensor.of(new long[1], 1);
    Ball ball = new Ball(norm, epsilon);
    Square attack = new Square("square", ball, 150, 1, true);
    attack.perturb(network, images, labels, Samples.noise(10));
    Tensor best = network.images.get(1);
    boolean shorter = false;
    for (int query = 0; query < 150; query++) {
      Tensor asked = network.images.get(2 + query);
      int side = Math.max(attack.side(query, 20, 20), 3) | 1;
      long changed = asked.sub(best).abs().gt(1e-5).sum().itemLong();
      assertTrue(changed <= 2 * side * side, "%d pixels, side %d".formatted(changed, side));
      assertTrue(changed > 0, "nothing changed");
      best = margin(network, asked) < margin(network, best) ? asked : best;
      // clamped, so that there is some left
      shorter |= ball.lengths(best.sub(images)).item() < 0.93 * epsilon;
    }
    assertTrue(shorter, "no good example");
  }

  /** Where nothing is clamped, a channel's two squares get what they had, and no more. */
  @Test
  void channelsDoNotPayForEachOther() {
    Asked network = new Asked(linear(3, 20), scope);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 1, 3, 20, 20);
    Tensor labels = Tensor.of(new long[1], 1);
    Square attack = new Square("square", new Ball(Norm.L2, 1), 40, 1, true);
    attack.perturb(network, images, labels, Samples.noise(13));
    double[] first = network.images.get(1).sub(images).norm2Keep(2, 3).toDoubles();
    for (Tensor asked : network.images.subList(2, 42)) {
      assertArrayEquals(first, asked.sub(images).norm2Keep(2, 3).toDoubles(), 1e-4);
    }
  }

  /** Images that are not square, or very small, are attacked as well. */
  @ParameterizedTest
  @CsvSource({
    "LINF, 12, 7",
    "L2, 12, 7",
    "LINF, 7, 12",
    "L2, 7, 12",
    "L1, 7, 12",
    "LINF, 3, 3",
    "L2, 3, 3",
    "L1, 3, 3",
    "LINF, 1, 1",
    "L2, 24, 24"
  })
  void anySizeWillDo(Norm norm, int height, int width) {
    Tensor weight = Tensor.randn(Samples.noise(6), Device.CPU, 3, (long) height * width);
    Network network = new LinearNetwork(weight, Tensor.of(new float[3], 3));
    Tensor images = Samples.random(7, 10, 1, height, width);
    Tensor labels = network.logits(images).argmax(1);
    Ball ball = new Ball(norm, radius(norm, 0.5, 5, 20));
    Tensor made =
        new Square("square", ball, 100, 1, false)
            .perturb(network, images, labels, Samples.noise(8))
            .images();
    long right = network.logits(made).argmax(1).eq(labels).sum().itemLong();
    assertTrue(right < 10, "right " + right);
    assertTrue(ball.lengths(made.sub(images)).max().item() <= ball.epsilon() * (1 + 1e-5));
  }
}
