package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** AutoAttack and the attacks it is made of, on networks whose weaknesses are known. */
class AutoAttackTest {
  private static final int SIZE = 12;

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Ball ball(Norm norm) {
    return ball(norm, 0.07, 0.9, 9);
  }

  private static Ball ball(Norm norm, double linf, double l2, double l1) {
    return new Ball(
        norm,
        switch (norm) {
          case LINF -> linf;
          case L2 -> l2;
          case L1 -> l1;
        });
  }

  /** Every attack, with few steps. */
  private static List<Attack> shortened(Ball ball) {
    List<Attack> all =
        new ArrayList<>(
            List.of(
                new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 8, 2, 1),
                new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 8, 1, 3),
                new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 8, 1, 1),
                new Fab("fab", ball, false, 4, 2),
                new Fab("fab-t", ball, true, 4, 1),
                new Square("square", ball, 50, 2, false),
                new Square("square", ball, 50, 1, true)));
    if (ball.norm() == Norm.L1) {
      all.add(new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 10, 2, 1, 1, true));
      all.add(new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 10, 1, 1, 5, true));
    }
    return all;
  }

  private static Stream<Attack> attacks() {
    return Stream.of(Norm.values())
        .flatMap(
            norm ->
                Stream.concat(
                    shortened(ball(norm)).stream(), Stream.of(new Chain(shortened(ball(norm))))));
  }

  /** AutoAttack with components of one's own. */
  private record Chain(List<Attack> components) implements Attack {
    @Override
    public String name() {
      return "chain";
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      return AutoAttack.perturb(components, network, images, labels, noise);
    }
  }

  private static Ball ballOf(Attack attack) {
    return switch (attack) {
      case Apgd a -> a.ball();
      case Fab a -> a.ball();
      case Square a -> a.ball();
      case Chain a -> ballOf(a.components().getFirst());
      default -> throw new AssertionError(attack);
    };
  }

  /** What the network says in evaluation mode, so that all images are right. */
  private static Tensor answers(Network network, Tensor images) {
    boolean before = network.training();
    network.train(false);
    try (NoGrad _ = NoGrad.enter()) {
      return network.logits(images).argmax(1);
    } finally {
      network.train(before);
    }
  }

  private static long right(Network network, Tensor images, Tensor labels) {
    return answers(network, images).eq(labels).sum().itemLong();
  }

  // ---- what holds for all of them -----------------------------------------------------------

  @ParameterizedTest
  @MethodSource("attacks")
  void ballAndRangeAreNeverLeftAndOnlyWrongImagesChange(Attack attack) {
    long seed = System.nanoTime();
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(seed, 8, 1, SIZE, SIZE);
    Tensor labels = answers(network, images);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(seed)).images();
    Ball ball = ballOf(attack);
    double longest = ball.lengths(made.sub(images)).max().item();
    assertTrue(longest <= ball.epsilon() * (1 + 1e-5), () -> longest + ", seed " + seed);
    assertTrue(made.min().item() >= 0 && made.max().item() <= 1, () -> "seed " + seed);
    assertFalse(made.requiresGrad());
    double[] wrong = answers(network, made).ne(labels).to(DType.FLOAT32).toDoubles();
    double[] moved = ball.lengths(made.sub(images)).toDoubles();
    for (int i = 0; i < wrong.length; i++) {
      assertEquals(wrong[i] != 0, moved[i] != 0, "image %d, seed %d".formatted(i, seed));
    }
  }

  private static Stream<Attack> still() {
    return Stream.of(Norm.values()).flatMap(norm -> shortened(new Ball(norm, 0)).stream());
  }

  @ParameterizedTest
  @MethodSource("still")
  void epsilonZeroGivesTheImages(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(6);
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(1)).images();
    assertArrayEquals(sample.images().toFloats(), made.toFloats());
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void imagesThatAreWrongAlreadyStay(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(2, 5, 1, SIZE, SIZE);
    Tensor labels = answers(network, images).add(1);
    Tensor nine = labels.clamp(0, 9);
    labels = labels.eq(10).where(labels.zerosLike(), nine);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(3)).images();
    assertArrayEquals(images.toFloats(), made.toFloats());
  }

  private static Map<String, double[]> values(Map<String, Tensor> tensors) {
    Map<String, double[]> values = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> values.put(name, tensor.toDoubles()));
    return values;
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void theSeedAloneMakesTheResultAndNothingElseChanges(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(4, 6, 1, SIZE, SIZE);
    Tensor labels = answers(network, images);
    Map<String, double[]> state = values(network.stateDict());
    float[] before = images.toFloats();
    float[] one = attack.perturb(network, images, labels, Samples.noise(5)).images().toFloats();
    float[] again = attack.perturb(network, images, labels, Samples.noise(5)).images().toFloats();
    assertArrayEquals(one, again);
    assertArrayEquals(before, images.toFloats());
    assertTrue(network.training());
    values(network.stateDict()).forEach((name, v) -> assertArrayEquals(state.get(name), v, name));
    network.parameters().forEach((name, p) -> assertNull(p.grad(), name));
    network.parameters().forEach((name, p) -> assertTrue(p.requiresGrad(), name));
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void theResultAloneIsLeft(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(6, 4, 1, SIZE, SIZE);
    Tensor labels = answers(network, images);
    try (Scope _ = Scope.open("attacks")) {
      Generator noise = Samples.noise(7);
      long before = Scope.alive();
      attack.perturb(network, images, labels, noise);
      assertEquals(before + 1, Scope.alive());
    }
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void aTrainedNetworkIsWrongMoreOften(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(30);
    long clean = right(teacher, sample.images(), sample.labels());
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(8)).images();
    long robust = right(teacher, made, sample.labels());
    assertTrue(robust < clean - 5, () -> "%d of %d".formatted(robust, clean));
  }

  // ---- APGD ---------------------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(Norm.class)
  void leavingBrokenImagesAloneChangesNoOutcome(Norm norm) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(20);
    Ball ball = ball(norm, 0.02, 0.3, 2);
    Tensor labels = answers(teacher, sample.images());
    Apgd attack = new Apgd("apgd", ball, Apgd.Loss.DLR, 20, 1, 1, 1, norm == Norm.L1);
    Tensor made = attack.perturb(teacher, sample.images(), labels, Samples.noise(9)).images();
    Tensor delta =
        norm == Norm.L1
            ? sample.images().emptyLike().normal_(0, 1, Samples.noise(9))
            : ball.directions(sample.images(), Samples.noise(9)).mul(ball.epsilon());
    Tensor start = delta.add(sample.images());
    Apgd.Outcome whole = attack.climb(teacher, sample.images(), labels, null, start);
    long broken = whole.broken().sum().itemLong();
    assertTrue(broken > 2 && broken < 18, "no good example: %d broken".formatted(broken));
    assertArrayEquals(whole.broken().toLongs(), answers(teacher, made).ne(labels).toLongs());
  }

  /** Two classes, logits 0 and w · x + b. */
  private static LinearNetwork linear(Tensor weight, double bias) {
    return new LinearNetwork(
        Tensor.stack(List.of(weight.zerosLike(), weight), 0),
        Tensor.of(new float[] {0, (float) bias}, 2));
  }

  @ParameterizedTest
  @EnumSource(value = Norm.class, mode = EnumSource.Mode.EXCLUDE, names = "L1")
  void theHighestLossOfALinearNetworkIsFound(Norm norm) {
    Tensor weight = Tensor.randn(Samples.noise(10), Device.CPU, 16);
    Network network = linear(weight, 0);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 3, 1, 4, 4);
    Tensor labels = Tensor.of(new long[] {1, 1, 1}, 3);
    Apgd attack = Apgd.crossEntropy(new Ball(norm, 0.2));
    Tensor made = attack.highestLoss(network, images, labels, Samples.noise(11));
    Tensor down = norm == Norm.LINF ? weight.sign() : weight.div(weight.norm2Keep(0).add(1e-12));
    Tensor best = images.sub(down.view(1, 1, 4, 4).mul(0.2));
    assertArrayEquals(best.toFloats(), made.toFloats(), 2e-3f);
  }

  /**
   * One pixel would be best; of two changed ones the next step changes two thirds, which is two.
   */
  @Test
  void inL1TheTwoPixelsThatMatterMostAreChanged() {
    float[] slope = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, -15, 16};
    Tensor weight = Tensor.of(slope, 16).mul(0.1);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 3, 1, 4, 4);
    Tensor labels = Tensor.of(new long[] {1, 1, 1}, 3);
    Apgd attack = Apgd.crossEntropy(new Ball(Norm.L1, 0.2));
    Tensor made = attack.highestLoss(linear(weight, 0), images, labels, Samples.noise(11));
    Tensor best = images.copy();
    best.narrow(2, 3, 1).narrow(3, 2, 1).fill_(0.6);
    best.narrow(2, 3, 1).narrow(3, 3, 1).fill_(0.4);
    assertArrayEquals(best.toFloats(), made.toFloats(), 2e-3f);
  }

  @Test
  void restartsAndMoreStepsFindNoLowerLoss() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(10);
    Ball ball = ball(Norm.LINF);
    double before = 0;
    for (Apgd attack :
        List.of(
            new Apgd("apgd", ball, Apgd.Loss.CROSS_ENTROPY, 3, 1, 1),
            new Apgd("apgd", ball, Apgd.Loss.CROSS_ENTROPY, 30, 1, 1),
            new Apgd("apgd", ball, Apgd.Loss.CROSS_ENTROPY, 30, 4, 1))) {
      Tensor made =
          attack.highestLoss(teacher, sample.images(), sample.labels(), Samples.noise(12));
      double loss = Losses.crossEntropy(teacher.logits(made), sample.labels()).item();
      assertTrue(loss > before, "%s after %s".formatted(loss, before));
      before = loss;
    }
  }

  @Test
  void zeroGradientsAreCounted() {
    Tensor images = Samples.random(13, 5, 1, 3, 3);
    Network flat =
        new LinearNetwork(
            Tensor.zeros(DType.FLOAT32, Device.CPU, 4, 9), Tensor.of(new float[] {3, 2, 1, 0}, 4));
    Tensor labels = answers(flat, images);
    Ball ball = ball(Norm.LINF);
    for (Norm norm : Norm.values()) {
      Perturbed made =
          new Chain(shortened(ball(norm))).perturb(flat, images, labels, Samples.noise(14));
      assertEquals(5, made.zeroGradients());
      assertArrayEquals(images.toFloats(), made.images().toFloats());
    }
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(4);
    Perturbed made =
        new Chain(List.of(new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 2, 1, 1)))
            .perturb(teacher, sample.images(), sample.labels(), Samples.noise(15));
    assertEquals(0, made.zeroGradients());
  }

  // ---- FAB ----------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({"LINF, true", "LINF, false", "L2, true", "L2, false", "L1, true", "L1, false"})
  void theNearestWrongImageOfALinearNetworkIsFound(Norm norm, boolean targeted) {
    Tensor weight = Tensor.randn(Samples.noise(16), Device.CPU, 16);
    double length =
        switch (norm) {
          case LINF -> weight.abs().sum().item();
          case L2 -> weight.norm2Keep(0).item();
          case L1 -> weight.abs().max().item();
        };
    // at the grey image the other class is 0.2 lengths ahead
    Network network = linear(weight, -0.5 * weight.sum().item() + 0.2 * length);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 2, 1, 4, 4);
    Tensor labels = Tensor.of(new long[] {1, 1}, 2);
    Tensor targets = targeted ? labels.zerosLike() : null;
    Fab attack = new Fab("fab", new Ball(norm, 0.1), targeted, 60, 1);
    Fab.Nearest nearest = attack.search(network, images, labels, targets, images);
    assertArrayEquals(new float[] {0.2f, 0.2f}, nearest.distance().toFloats(), 2e-3f);
    assertTrue(nearest.distance().min().item() >= 0.2 - 1e-6);

    assertArrayEquals( // 0.2 away is not within 0.1
        images.toFloats(),
        attack.perturb(network, images, labels, Samples.noise(17)).images().toFloats());
    Fab wider = new Fab("fab", new Ball(norm, 0.21), targeted, 60, 1);
    assertEquals(
        0,
        right(network, wider.perturb(network, images, labels, Samples.noise(17)).images(), labels));
  }

  // ---- how strong they are ------------------------------------------------------------------

  /** Of one image in thirty random starts may decide. */
  @Test
  void autoAttackIsAtLeastAsStrongAsApgdAndThatAsPgd() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(30);
    Ball ball = new Ball(Norm.LINF, 8.0 / 255);
    Attack pgd = new Pgd("pgd20", ball, 2.0 / 255, 20, Start.UNIFORM, Pgd.NetworkMode.EVAL);
    long clean = right(teacher, sample.images(), sample.labels());
    long afterPgd = right(teacher, made(pgd, teacher, sample), sample.labels());
    long afterApgd =
        right(teacher, made(Apgd.crossEntropy(ball), teacher, sample), sample.labels());
    Attack all = new AutoAttack(AutoAttack.Version.STANDARD, ball);
    long afterAll = right(teacher, made(all, teacher, sample), sample.labels());
    assertTrue(clean > afterPgd, () -> "%d, then %d".formatted(clean, afterPgd));
    assertTrue(afterApgd <= afterPgd + 1, () -> "%d, then %d".formatted(afterPgd, afterApgd));
    assertTrue(afterAll <= afterApgd, () -> "%d, then %d".formatted(afterApgd, afterAll));
  }

  @Test
  void inL1AllTogetherAreAtLeastAsStrongAsApgdAndThatBreaksSome() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(20);
    List<Attack> all = shortened(new Ball(Norm.L1, 2));
    long clean = right(teacher, sample.images(), sample.labels());
    long afterApgd = right(teacher, made(all.getFirst(), teacher, sample), sample.labels());
    long afterAll = right(teacher, made(new Chain(all), teacher, sample), sample.labels());
    assertTrue(clean > afterApgd, () -> "%d, then %d".formatted(clean, afterApgd));
    assertTrue(afterAll <= afterApgd, () -> "%d, then %d".formatted(afterApgd, afterAll));
  }

  private static Tensor made(Attack attack, Network network, Samples.Labelled sample) {
    return attack.perturb(network, sample.images(), sample.labels(), Samples.noise(18)).images();
  }

  // ---- AutoAttack ---------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({
    "STANDARD, autoattack, apgd-ce apgd-t fab-t square",
    "PLUS, autoattack-plus, apgd-ce apgd-dlr fab square apgd-t fab-t",
    "RAND, autoattack-rand, apgd-ce apgd-dlr"
  })
  void versionsAreThoseOfThePublicCode(AutoAttack.Version version, String name, String components) {
    AutoAttack attack = new AutoAttack(version, ball(Norm.LINF));
    assertEquals(name, attack.name());
    assertEquals(
        components, String.join(" ", attack.components().stream().map(Attack::name).toList()));
    for (Attack component : attack.components()) {
      boolean plus = version == AutoAttack.Version.PLUS;
      int draws = version == AutoAttack.Version.RAND ? 20 : 1;
      switch (component) {
        case Apgd a -> {
          int restarts = plus && a.loss() != Apgd.Loss.TARGETED_DLR ? 5 : 1;
          assertEquals(new Apgd(a.name(), a.ball(), a.loss(), 100, restarts, draws), a);
        }
        case Fab a ->
            assertEquals(new Fab(a.name(), a.ball(), a.targeted(), 100, a.targeted() ? 1 : 5), a);
        case Square a -> assertEquals(new Square("square", a.ball(), 5000, 1, false), a);
        default -> throw new AssertionError(component);
      }
    }
  }

  /** What autoattack.py sets where the norm is L1. */
  @Test
  void inL1StandardWidensBeginsAgainAndHasFewerTargets() {
    Ball ball = ball(Norm.L1);
    assertEquals(
        List.of(
            new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 100, 5, 1, 1, true),
            new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 100, 1, 1, 5, true),
            new Fab("fab-t", ball, true, 100, 1),
            new Square("square", ball, 5000, 1, false)),
        new AutoAttack(AutoAttack.Version.STANDARD, ball).components());
    assertEquals(
        List.of(
            new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 100, 5, 1, 1, false),
            new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 100, 5, 1, 1, false),
            new Fab("fab", ball, false, 100, 5),
            new Square("square", ball, 5000, 1, false),
            new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 100, 1, 1, 9, false),
            new Fab("fab-t", ball, true, 100, 1)),
        new AutoAttack(AutoAttack.Version.PLUS, ball).components());
    assertEquals(
        List.of(
            new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 100, 1, 20, 1, false),
            new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 100, 1, 20, 1, false)),
        new AutoAttack(AutoAttack.Version.RAND, ball).components());
  }

  /** Breaks the images whose first pixel is this, and remembers how many it was asked about. */
  private record Breaks(String name, float pixel, List<Long> asked) implements Attack {
    Breaks(String name, double pixel) {
      this(name, (float) pixel, new ArrayList<>());
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      asked.add(images.size(0));
      Tensor hit = images.sub(pixel).abs().lt(1e-6);
      return new Perturbed(hit.where(images.zerosLike().add(0.9), images));
    }
  }

  /** One pixel: wrong above 1/2 for class 0. */
  private static Network half() {
    return linear(Tensor.of(new float[] {1}, 1), -0.5);
  }

  private static BitSet bits(int... set) {
    BitSet bits = new BitSet();
    IntStream.of(set).forEach(bits::set);
    return bits;
  }

  @Test
  void eachAttackMeetsOnlyWhatIsLeft() {
    Tensor images = Tensor.of(new float[] {0.1f, 0.7f, 0.2f, 0.3f, 0.2f}, 5, 1, 1, 1);
    Tensor labels = Tensor.of(new long[5], 5);
    Breaks first = new Breaks("first", 0.2);
    Breaks second = new Breaks("second", 0.1);
    Breaks third = new Breaks("third", 0.2);
    Stages stages = new Stages(half(), images, labels, Samples.noise(19));
    AutoAttack.run(List.of(first, second, third), stages, warning -> {});
    assertEquals(List.of("first", "second", "third"), List.copyOf(stages.right().keySet()));
    assertEquals(List.of(bits(0, 3), bits(3), bits(3)), List.copyOf(stages.right().values()));
    assertArrayEquals(new float[] {0.9f, 0.7f, 0.9f, 0.3f, 0.9f}, stages.images().toFloats());
    assertEquals(List.of(4L), first.asked());
    assertEquals(List.of(2L), second.asked());
    assertEquals(List.of(1L), third.asked());
  }

  /** Whatever the images are, a whole data set or a batch: square is compared with those before. */
  @Test
  void warningsAreThoseOfTheWholeTarget() {
    List<String> warnings = new ArrayList<>();
    double[] accuracies = {0.9, 0.5, 0.3, 0.2};
    int[] attacked = {0};
    AutoAttack.Target target =
        new AutoAttack.Target() {
          @Override
          public double accuracy() {
            return accuracies[attacked[0]];
          }

          @Override
          public int attack(Attack component) {
            attacked[0]++;
            return component instanceof Apgd ? 2 : 0;
          }
        };
    Ball ball = ball(Norm.LINF);
    List<Attack> components =
        List.of(Apgd.crossEntropy(ball), Square.of(ball), Apgd.targeted(ball));
    AutoAttack.run(components, target, warnings::add);
    assertEquals(
        List.of(Checks.square(0.5, 0.3).orElseThrow(), Checks.zeroGradients(4).orElseThrow()),
        warnings);
  }

  @Test
  void anImageCountsAsBrokenOnlyIfTheNetworkIsWrong() {
    Tensor images = Tensor.of(new float[] {0.1f, 0.2f}, 2, 1, 1, 1);
    Attack moves =
        new Attack() {
          @Override
          public String name() {
            return "moves";
          }

          @Override
          public Perturbed perturb(Network network, Tensor x, Tensor labels, Generator noise) {
            return new Perturbed(x.add(0.35));
          }
        };
    Stages stages = new Stages(half(), images, Tensor.of(new long[2], 2), Samples.noise(20));
    stages.attack(moves);
    assertEquals(bits(0), stages.right().get("moves"));
    assertArrayEquals(new float[] {0.1f, 0.55f}, stages.images().toFloats(), 1e-7f);
  }

  // ---- few classes --------------------------------------------------------------------------

  private static Network classes(int classes) {
    Tensor weight = Tensor.randn(Samples.noise(21), Device.CPU, classes, 9);
    return new LinearNetwork(weight, Tensor.zeros(DType.FLOAT32, Device.CPU, classes));
  }

  @ParameterizedTest
  @CsvSource({"2, apgd-dlr", "2, apgd-t", "3, apgd-t"})
  void whatALossCannotCompareIsRefusedInOneLine(int classes, String attack) {
    Tensor images = Samples.random(22, 2, 1, 3, 3);
    Network network = classes(classes);
    Tensor labels = answers(network, images);
    Apgd apgd =
        attack.equals("apgd-t") ? Apgd.targeted(ball(Norm.LINF)) : Apgd.dlr(ball(Norm.LINF));
    UsageException e =
        assertThrows(
            UsageException.class,
            () -> apgd.perturb(network, images, labels, Samples.noise(23)).images());
    assertEquals(
        "%s compares the %d largest logits, and linear has %d classes; use apgd-ce, fab and square"
            .formatted(attack, attack.equals("apgd-t") ? 4 : 3, classes),
        e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"2, 0", "3, 1", "4, 2", "5, 2"})
  void whatCanBeComparedWorksWithFewClasses(int classes, int dlr) {
    Tensor images = Samples.random(24, 20, 1, 3, 3);
    Network network = classes(classes);
    Tensor labels = answers(network, images);
    for (Norm norm : Norm.values()) {
      List<Attack> all = shortened(ball(norm, 0.25, 0.7, 1.5));
      List<Attack> usable =
          new ArrayList<>(List.of(all.get(0), all.get(3), all.get(4), all.get(5)));
      usable.addAll(all.subList(1, 1 + dlr));
      for (Attack attack : usable) {
        long robust =
            right(
                network,
                attack.perturb(network, images, labels, Samples.noise(25)).images(),
                labels);
        assertTrue(robust < 18, () -> "%s: %d right".formatted(attack, robust));
      }
    }
  }

  /** Counts how often it is asked. */
  private static final class Counting extends Altered {
    private int asked;

    Counting(Network of) {
      super(of);
    }

    @Override
    Tensor answer(Tensor images, Tensor logits) {
      asked++;
      return logits;
    }
  }

  @ParameterizedTest
  @CsvSource({"4, 3", "6, 5", "10, 9", "12, 9"})
  void thereAreAsManyTargetsAsOtherClassesButNineAtMost(int classes, int targets) {
    Tensor images = Samples.random(26, 3, 1, 3, 3);
    Counting network = new Counting(classes(classes));
    Tensor labels = answers(network, images);
    Ball still = new Ball(Norm.LINF, 0);
    network.asked = 0;
    new Apgd("apgd-t", still, Apgd.Loss.TARGETED_DLR, 5, 1, 1)
        .perturb(network, images, labels, Samples.noise(27));
    assertEquals(1 + targets * 6, network.asked);
    network.asked = 0;
    new Fab("fab-t", still, true, 5, 1)
        .perturb(network, images, labels, Samples.noise(27))
        .images();
    assertEquals(1 + targets * 10, network.asked);
  }

  @Test
  void wrongSettingsAreRefused() {
    Ball ball = ball(Norm.LINF);
    for (Runnable wrong :
        List.<Runnable>of(
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 0, 1, 1),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 1, 0, 1),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 1, 1, 0),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 9, 1, 1, 0, false),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 9, 1, 1, 1, true),
            () -> new Apgd("a", ball(Norm.L1), Apgd.Loss.DLR, 4, 1, 1, 1, true),
            () -> new Fab("f", ball, true, 0, 1),
            () -> new Fab("f", ball, true, 1, 0),
            () -> new Square("s", ball, -1, 1, true),
            () -> new Square("s", ball, 1, 0, true))) {
      UsageException e = assertThrows(UsageException.class, wrong::run);
      assertEquals(1, e.getMessage().lines().count());
    }
    UsageException e =
        assertThrows(
            UsageException.class,
            () ->
                Apgd.targeted(ball)
                    .highestLoss(
                        classes(5),
                        Samples.random(1, 1, 1, 3, 3),
                        Tensor.of(new long[1], 1),
                        Samples.noise(1)));
    assertTrue(e.getMessage().contains("use apgd-ce or apgd-dlr"), e::getMessage);
  }
}
