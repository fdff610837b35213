package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Tensor;
import com.google.gson.JsonParser;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for projected gradient ascent whatever the network, the start and the norm. */
class PgdTest extends ShortPgdTest {
  private static Stream<Arguments> normsAndStarts() {
    return Stream.of(Norm.LINF, Norm.L2)
        .flatMap(norm -> Stream.of(Start.values()).map(start -> Arguments.of(norm, start)));
  }

  /** The longest change of an image, in the norm. */
  private static double longest(Norm norm, Tensor delta) {
    Tensor sizes = norm == Norm.LINF ? delta.abs() : delta.norm2Keep(1, 2, 3);
    return sizes.max().item();
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
