package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonParser;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for projected gradient ascent whatever the network, the start and the norm. */
class PgdTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Pgd pgd(Norm norm, double epsilon, double stepSize, int steps, Start start) {
    return new Pgd("pgd", new Ball(norm, epsilon), stepSize, steps, start, Pgd.NetworkMode.EVAL);
  }

  private static Pgd strong(int steps) {
    return pgd(Norm.LINF, 0.1, 0.02, steps, Start.UNIFORM);
  }

  private static Pgd in(Pgd.NetworkMode mode) {
    return new Pgd("pgd", new Ball(Norm.LINF, 0.1), 0.02, 2, Start.GAUSSIAN, mode);
  }

  private static Stream<Arguments> normsAndStarts() {
    return Stream.of(Norm.LINF, Norm.L2)
        .flatMap(norm -> Stream.of(Start.values()).map(start -> Arguments.of(norm, start)));
  }

  /** The longest change of an image, in the norm. */
  private static double longest(Norm norm, Tensor delta) {
    Tensor sizes = norm == Norm.LINF ? delta.abs() : delta.norm2Keep(1, 2, 3);
    return sizes.max().item();
  }

  private static Tensor labels(int count) {
    long[] labels = new long[count];
    Arrays.setAll(labels, i -> i % 10);
    return Tensor.of(labels, count);
  }

  @ParameterizedTest
  @MethodSource("normsAndStarts")
  void staysInsideTheBallAndTheRange(Norm norm, Start start) {
    long seed = System.nanoTime();
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(seed, 6, 1, 12, 12);
    double epsilon = norm == Norm.LINF ? 0.07 : 0.9;
    for (int steps : new int[] {1, 4}) {
      Tensor made =
          pgd(norm, epsilon, epsilon / 1.5, steps, start)
              .perturb(network, images, labels(6), Samples.noise(seed))
              .images();
      double change = longest(norm, made.sub(images));
      assertTrue(change <= epsilon + 1e-6, () -> change + ", seed " + seed);
      assertTrue(change > epsilon / 2, () -> "moved only " + change + ", seed " + seed);
      assertTrue(made.min().item() >= 0 && made.max().item() <= 1, () -> "seed " + seed);
      assertFalse(made.requiresGrad());
    }
  }

  @ParameterizedTest
  @MethodSource("normsAndStarts")
  void noStepsGiveTheProjectedStart(Norm norm, Start start) {
    Tensor images = Samples.random(3, 4, 1, 8, 8);
    Pgd none = pgd(norm, 0.05, 0.01, 0, start);
    Tensor begin = start.point(images, none.ball(), Samples.noise(4));
    Tensor made =
        none.perturb(
            Samples.fresh(8),
            ImageObjectives.of(Samples.fresh(8), x -> x.sum()),
            images,
            Samples.noise(4));
    assertArrayEquals(none.ball().project(begin, images).toFloats(), made.toFloats());
  }

  @ParameterizedTest
  @MethodSource("normsAndStarts")
  void stepsOfSizeZeroGiveTheProjectedStart(Norm norm, Start start) {
    Tensor images = Samples.random(3, 4, 1, 8, 8);
    Pgd still = pgd(norm, 0.05, 0, 3, start);
    Tensor begin = start.point(images, still.ball(), Samples.noise(4));
    Tensor made =
        still.perturb(
            Samples.fresh(8),
            ImageObjectives.of(Samples.fresh(8), x -> x.sum()),
            images,
            Samples.noise(4));
    assertArrayEquals(still.ball().project(begin, images).toFloats(), made.toFloats(), 1e-7f);
  }

  @ParameterizedTest
  @MethodSource("normsAndStarts")
  void epsilonZeroGivesTheImage(Norm norm, Start start) {
    Tensor images = Samples.random(5, 4, 1, 8, 8);
    Tensor made =
        pgd(norm, 0, 0.1, 3, start)
            .perturb(Samples.fresh(8), images, labels(4), Samples.noise(6))
            .images();
    assertArrayEquals(images.toFloats(), made.toFloats());
  }

  @ParameterizedTest
  @EnumSource(value = Norm.class, mode = EnumSource.Mode.EXCLUDE, names = "L1")
  void aZeroGradientStaysPut(Norm norm) {
    Tensor images = Samples.random(7, 4, 1, 8, 8);
    Pgd attack = pgd(norm, 0.5, 0.1, 3, Start.NONE);
    Tensor made =
        attack.perturb(
            Samples.fresh(8),
            ImageObjectives.of(Samples.fresh(8), x -> x.mul(0).sum()),
            images,
            Samples.noise(8));
    assertArrayEquals(images.toFloats(), made.toFloats());
  }

  @Test
  void theScaleOfTheObjectiveDoesNotMatter() {
    // a power of two, so that the gradients are the same up to their exponents
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(9, 6, 1, 12, 12);
    Objective loss =
        ImageObjectives.of(network, x -> Losses.crossEntropy(network.logits(x), labels(6)));
    Pgd attack = strong(5);
    float[] plain = attack.perturb(network, loss, images, Samples.noise(10)).toFloats();
    Objective scaled = ImageObjectives.of(network, x -> loss.at(x).mul(1024));
    assertArrayEquals(plain, attack.perturb(network, scaled, images, Samples.noise(10)).toFloats());
  }

  @Test
  void theSeedAloneMakesTheResult() {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(11, 6, 1, 12, 12);
    Pgd attack = strong(3);
    float[] one = attack.perturb(network, images, labels(6), Samples.noise(12)).images().toFloats();
    float[] again =
        attack.perturb(network, images, labels(6), Samples.noise(12)).images().toFloats();
    float[] other =
        attack.perturb(network, images, labels(6), Samples.noise(13)).images().toFloats();
    assertArrayEquals(one, again);
    assertFalse(Arrays.equals(one, other));
  }

  @Test
  void imagesStayAsTheyWere() {
    Tensor images = Samples.random(14, 4, 1, 8, 8);
    float[] before = images.toFloats();
    strong(2).perturb(Samples.fresh(8), images, labels(4), Samples.noise(15));
    new Fgsm(new Ball(Norm.LINF, 0.1))
        .perturb(Samples.fresh(8), images, labels(4), Samples.noise(15));
    assertArrayEquals(before, images.toFloats());
  }

  // ---- what the network must not notice -----------------------------------------------------

  private static Map<String, double[]> values(Map<String, Tensor> tensors) {
    Map<String, double[]> values = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> values.put(name, tensor.toDoubles()));
    return values;
  }

  private static boolean same(Map<String, double[]> a, Map<String, double[]> b) {
    return a.keySet().equals(b.keySet())
        && a.keySet().stream().allMatch(name -> Arrays.equals(a.get(name), b.get(name)));
  }

  @Test
  void evaluationModeLeavesBuffersAndParametersBitIdentical() {
    Network network = Samples.fresh(12);
    Map<String, double[]> before = values(network.stateDict());
    assertTrue(before.keySet().stream().anyMatch(name -> name.endsWith("running_var")));
    Tensor images = Samples.random(16, 4, 1, 12, 12);
    in(Pgd.NetworkMode.EVAL).perturb(network, images, labels(4), Samples.noise(17));
    assertTrue(same(before, values(network.stateDict())));
  }

  @Test
  void trainingModeMovesTheRunningStatisticsOnly() {
    Network network = Samples.fresh(12);
    network.train(false);
    Map<String, double[]> buffers = values(network.buffers());
    Map<String, double[]> parameters = values(network.parameters());
    Tensor images = Samples.random(16, 4, 1, 12, 12);
    in(Pgd.NetworkMode.TRAIN).perturb(network, images, labels(4), Samples.noise(17));
    assertFalse(same(buffers, values(network.buffers())));
    assertTrue(same(parameters, values(network.parameters())));
  }

  @Test
  void parametersWithoutAGradientGetNone() {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(18, 4, 1, 12, 12);
    strong(2).perturb(network, images, labels(4), Samples.noise(19));
    network.parameters().forEach((name, p) -> assertNull(p.grad(), name));
    network.parameters().forEach((name, p) -> assertTrue(p.requiresGrad(), name));
  }

  @Test
  void gradientsThatAreThereKeepTheirBits() {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(18, 4, 1, 12, 12);
    Losses.crossEntropy(network.logits(images), labels(4)).backward();
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    network.parameters().forEach((name, p) -> gradients.put(name, p.grad()));
    Map<String, double[]> before = values(gradients);
    strong(2).perturb(network, images, labels(4), Samples.noise(19));
    network.parameters().forEach((name, p) -> gradients.put(name, p.grad()));
    assertTrue(same(before, values(gradients)));
  }

  private static Stream<Arguments> modes() {
    return Stream.of(Pgd.NetworkMode.values())
        .flatMap(mode -> Stream.of(true, false).map(before -> Arguments.of(mode, before)));
  }

  @ParameterizedTest
  @MethodSource("modes")
  void theModeIsRestored(Pgd.NetworkMode mode, boolean before) {
    Network network = Samples.fresh(12);
    network.train(before);
    Tensor images = Samples.random(20, 4, 1, 12, 12);
    Objective objective =
        ImageObjectives.of(
            network,
            x -> {
              assertEquals(mode == Pgd.NetworkMode.TRAIN, network.training());
              return network.logits(x).sum();
            });
    in(mode).perturb(network, objective, images, Samples.noise(21));
    assertEquals(before, network.training());
  }

  @ParameterizedTest
  @MethodSource("modes")
  void theModeIsRestoredAndNothingLeaksWhenTheObjectiveFails(Pgd.NetworkMode mode, boolean before) {
    Network network = Samples.fresh(12);
    network.train(before);
    Tensor images = Samples.random(20, 4, 1, 12, 12);
    Objective broken =
        ImageObjectives.of(
            network,
            x -> {
              network.logits(x);
              throw new UsageException("no value");
            });
    long alive = Scope.alive();
    try (Scope _ = Scope.open("attacks")) {
      var noise = Samples.noise(21);
      assertThrows(UsageException.class, () -> in(mode).perturb(network, broken, images, noise));
    }
    assertEquals(before, network.training());
    assertEquals(alive, Scope.alive());
  }

  private static Stream<Attack> attacks() {
    return Stream.of(
        new Fgsm(new Ball(Norm.LINF, 0.1)), strong(3), pgd(Norm.L2, 1, 0.3, 3, Start.UNIFORM));
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void asManyTensorsAreAliveAfterAsBefore(Attack attack) {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(22, 4, 1, 12, 12);
    Tensor labels = labels(4);
    long alive = Scope.alive();
    for (int i = 0; i < 3; i++) {
      try (Scope _ = Scope.open("attacks")) {
        var noise = Samples.noise(23);
        long before = Scope.alive();
        attack.perturb(network, images, labels, noise);
        assertEquals(before + 1, Scope.alive(), "the result alone is left");
      }
      assertEquals(alive, Scope.alive());
    }
  }

  // ---- what it does to a trained network ----------------------------------------------------

  private static long right(Network network, Tensor images, Tensor labels) {
    return network.logits(images).argmax(1).eq(labels).sum().itemLong();
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void robustAccuracyIsAtMostTheCleanOne(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(100);
    long clean = right(teacher, sample.images(), sample.labels());
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(24)).images();
    long robust = right(teacher, made, sample.labels());
    assertTrue(clean >= 85, "clean " + clean);
    assertTrue(robust < clean - 20, "robust %d of clean %d".formatted(robust, clean));
  }

  @ParameterizedTest
  @CsvSource({"LINF, 0.05, 0.01", "L2, 0.8, 0.16"})
  void moreStepsDoNotWeaken(Norm norm, double epsilon, double stepSize) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(50);
    double loss = 0;
    long right = 50;
    for (int steps : new int[] {0, 2, 10, 20}) {
      Tensor made =
          pgd(norm, epsilon, stepSize, steps, Start.NONE)
              .perturb(teacher, sample.images(), sample.labels(), Samples.noise(25))
              .images();
      double now = Losses.crossEntropy(teacher.logits(made), sample.labels()).item();
      long rightNow = right(teacher, made, sample.labels());
      assertTrue(now > loss, "loss %s after %s at %d steps".formatted(now, loss, steps));
      assertTrue(rightNow <= right, "%d right after %d steps".formatted(rightNow, steps));
      loss = now;
      right = rightNow;
    }
  }

  @Test
  void fgsmIsOneStepOfEpsilonFromTheImage() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(10);
    Tensor images = sample.images();
    float[] fgsm =
        new Fgsm(new Ball(Norm.LINF, 0.1))
            .perturb(teacher, images, sample.labels(), Samples.noise(26))
            .images()
            .toFloats();
    Tensor x = images.copy().requiresGrad_(true);
    teacher.train(false);
    Tensor gradient = Losses.crossEntropy(teacher.logits(x), sample.labels()).gradient(x);
    assertArrayEquals(images.add(gradient.sign(), 0.1).clamp(0, 1).toFloats(), fgsm, 1e-6f);
  }

  // ---- settings -----------------------------------------------------------------------------

  private static Pgd read(String json) {
    return Pgd.from(new Options("attack", JsonParser.parseString(json).getAsJsonObject()));
  }

  @Test
  void defaultsAreThoseOfThePapers() {
    Ball ball = new Ball(Norm.LINF, 8.0 / 255);
    assertEquals(
        new Pgd("pgd", ball, 2.0 / 255, 10, Start.GAUSSIAN, Pgd.NetworkMode.EVAL), read("{}"));
  }

  @Test
  void settingsAreRead() {
    assertEquals(
        new Pgd("pgd", new Ball(Norm.L2, 2), 0.5, 7, Start.UNIFORM, Pgd.NetworkMode.TRAIN),
        read(
            """
            {"norm": "l2", "epsilon": 2, "stepSize": "1/2", "steps": 7, "start": "uniform",
             "mode": "train"}
            """));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"epsilon\": 8}",
        "{\"epsilon\": -1}",
        "{\"epsilon\": \"NaN\"}",
        "{\"epsilon\": \"8/0\"}",
        "{\"norm\": \"l2\", \"epsilon\": -1}",
        "{\"stepSize\": -0.1}",
        "{\"steps\": 1.5}",
        "{\"start\": \"somewhere\"}",
        "{\"epslion\": 0.1}"
      })
  void wrongSettingsAreRefusedInOneLine(String json) {
    UsageException e = assertThrows(UsageException.class, () -> read(json));
    assertTrue(e.getMessage().contains("attack."), e::getMessage);
    assertEquals(1, e.getMessage().lines().count(), e::getMessage);
  }

  @ParameterizedTest
  @CsvSource({"-1, 0.1", "1, -0.1", "1, NaN"})
  void wrongStepsAreRefused(int steps, double stepSize) {
    UsageException e =
        assertThrows(UsageException.class, () -> pgd(Norm.LINF, 0.1, stepSize, steps, Start.NONE));
    assertTrue(e.getMessage().contains("found %d steps of %s".formatted(steps, stepSize)));
  }
}
