package bridge.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.attack.Ball;
import bridge.attack.Fgsm;
import bridge.attack.Norm;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.evaluate.Evaluation.Result;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Accuracies of a trained network on the embedded test images, counted again by hand. */
class EvaluationTest extends MiniEvaluationTest {
  /** One of each kind, with few steps; AutoAttack has tests of its own. */
  private static final List<String> ATTACKS =
      List.of(
          "clean",
          "fgsm",
          "pgd5",
          "pgd5-trades-r2",
          "mifgsm5",
          "cw5",
          "cw-ciard",
          "apgd-ce",
          "square300");

  private Network teacher;

  @BeforeEach
  void loadTeacher() {
    teacher = network("fmnist-resnet");
  }

  private static float[] pixels(ImageSet set, int images) {
    float[] pixels = new float[images * (int) set.imageBytes()];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = set.pixels().getUByte(i) / 255f;
    }
    return pixels;
  }

  /** Which of the first images, as these pixels, are classified rightly: one batch by hand. */
  private static boolean[] right(Network network, float[] pixels, ImageSet set) {
    int images = pixels.length / (int) set.imageBytes();
    boolean[] right = new boolean[images];
    try (Scope _ = Scope.open("by hand");
        NoGrad _ = NoGrad.enter()) {
      float[] logits = network.logits(Tensor.of(pixels, images, 1, 28, 28)).toFloats();
      for (int i = 0; i < images; i++) {
        int best = 0;
        for (int k = 1; k < 10; k++) {
          best = logits[10 * i + k] > logits[10 * i + best] ? k : best;
        }
        right[i] = best == set.label(i);
      }
    }
    return right;
  }

  private static int count(boolean[] right) {
    return (int) IntStream.range(0, right.length).filter(i -> right[i]).count();
  }

  @Test
  void cleanAccuracyIsWhatACountByHandGives() {
    Result clean = run(teacher, BALL, 300, 128, "clean").get(0);
    assertEquals(300, clean.images());
    assertEquals(count(right(teacher, pixels(mini, 300), mini)), clean.correct());
    assertEquals(clean.correct() / 300.0, clean.accuracy());
    assertEquals(clean.correct(), clean.worstCorrect());
    assertEquals(0, clean.meanPerturbation());
    assertEquals(0, clean.maxPerturbation());
  }

  private static String[] attacks(Norm norm) {
    if (norm == Norm.L1) {
      return new String[] {"clean", "apgd-ce", "square50"};
    }
    List<String> all = new ArrayList<>(ATTACKS);
    if (norm == Norm.L2) {
      all.add("cw-l2-20");
    }
    return all.toArray(String[]::new);
  }

  @ParameterizedTest
  @EnumSource(Norm.class)
  void epsilonZeroGivesTheCleanAccuracyForEveryAttack(Norm norm) {
    String[] all = attacks(norm);
    List<Result> results = run(SmallNetwork.load(), new Ball(norm, 0), 20, 10, all);
    assertEquals(List.of(all), results.stream().map(Result::attack).toList());
    for (Result result : results) {
      assertEquals(results.get(0).correct(), result.correct(), result::attack);
      assertEquals(0, result.maxPerturbation(), result::attack);
    }
  }

  @ParameterizedTest
  @CsvSource({"LINF, 0.05", "L2, 0.8", "L1, 8"})
  void attacksWeakenWithinTheBallAndTheWorstIsAtMostEach(Norm norm, double epsilon) {
    Ball ball = new Ball(norm, epsilon);
    List<Result> results = run(SmallNetwork.load(), ball, 40, 20, attacks(norm));
    int clean = results.get(0).correct();
    int worst = clean;
    for (Result result : results.subList(1, results.size())) {
      assertTrue(result.correct() < clean, result::attack);
      assertTrue(result.worstCorrect() <= Math.min(worst, result.correct()), result::attack);
      assertTrue(result.worstAccuracy() <= result.accuracy(), result::attack);
      assertTrue(result.maxPerturbation() <= epsilon * (1 + 1e-5), result::attack);
      assertTrue(result.meanPerturbation() <= result.maxPerturbation(), result::attack);
      assertTrue(result.meanPerturbation() > 0, result::attack);
      assertEquals(clean, result.cleanCorrect(), result::attack);
      assertEquals((clean + result.correct()) / 80.0, result.weightedAccuracy(), result::attack);
      worst = result.worstCorrect();
    }
  }

  /** What is said of each image is what is counted. */
  @Test
  void predictionsAreTheCounts() {
    List<Result> results = run(teacher, new Ball(Norm.LINF, 0.3), 100, 40, "fgsm", "clean");
    boolean[] clean = right(teacher, pixels(mini, 100), mini);
    for (Result result : results) {
      int correct = 0;
      for (int i = 0; i < 100; i++) {
        assertEquals(mini.label(i), result.labels().get(i));
        boolean right = result.predictions().get(i) == mini.label(i);
        correct += right ? 1 : 0;
        assertTrue(clean[i] || !right, "image " + i + " is mended");
      }
      assertEquals(correct, result.correct());
    }
  }

  /**
   * A long step up the loss mends some mistakes all the same; an image that is wrong without an
   * attack is wrong under it, whether or not the clean images were asked for.
   */
  @Test
  void whatIsWrongCleanIsWrongUnderEveryAttack() {
    Ball far = new Ball(Norm.LINF, 0.5);
    int images = 200;
    boolean[] clean = right(teacher, pixels(mini, images), mini);
    boolean[] attacked = right(teacher, fgsm(far, images), mini);
    long mended = IntStream.range(0, images).filter(i -> attacked[i] && !clean[i]).count();
    long robust = IntStream.range(0, images).filter(i -> attacked[i] && clean[i]).count();
    assertTrue(mended > 0, "no mistake is mended, so this would show nothing");

    Result alone = run(teacher, far, images, images, "fgsm").get(0);
    List<Result> after = run(teacher, far, images, images, "clean", "fgsm");
    List<Result> before = run(teacher, far, images, images, "fgsm", "clean");
    assertEquals(robust, alone.correct());
    assertEquals(robust, after.get(1).correct());
    assertEquals(robust, before.get(0).correct());
    assertEquals(count(clean), before.get(1).correct());
    assertEquals(robust, before.get(1).worstCorrect());
  }

  private float[] fgsm(Ball ball, int images) {
    try (Scope _ = Scope.open("by hand")) {
      long[] labels = IntStream.range(0, images).mapToLong(mini::label).toArray();
      return new Fgsm(ball)
          .perturb(
              teacher,
              Tensor.of(pixels(mini, images), images, 1, 28, 28),
              Tensor.of(labels, images),
              Generator.on(Device.CPU, 1))
          .images()
          .toFloats();
    }
  }

  @Test
  void theBatchSizeDoesNotMatter() {
    List<Result> one = run(teacher, BALL, 150, 150, "clean", "fgsm");
    for (int batchSize : new int[] {1, 37, 64}) {
      List<Result> other = run(teacher, BALL, 150, batchSize, "clean", "fgsm");
      assertEquals(150, other.get(1).images());
      assertEquals(one.get(0).correct(), other.get(0).correct());
      // another order of summation may turn the sign of a gradient of nearly 0
      assertEquals(one.get(1).correct(), other.get(1).correct(), 1);
    }
  }

  @Test
  void theSeedMakesTheSameResults() {
    Result one = run(teacher, BALL, 40, 20, "pgd20").get(0);
    Result again = run(teacher, BALL, 40, 20, "clean", "pgd20").get(1);
    assertEquals(one.correct(), again.correct());
    assertEquals(one.meanPerturbation(), again.meanPerturbation());
  }

  @Test
  void validationIsCleanAndPgd() {
    try (Batches batches = batches(mini, 40, 20)) {
      List<Result> results = new Evaluation(teacher, BALL, new Seeds(3)).validate(5, batches);
      assertEquals(List.of("clean", "pgd5"), results.stream().map(Result::attack).toList());
      assertTrue(results.get(1).correct() < results.get(0).correct());
    }
  }

  @Test
  void progressTellsAttackAndImages() {
    List<String> told = new ArrayList<>();
    try (Batches batches = batches(mini, 50, 20)) {
      new Evaluation(teacher, BALL, new Seeds(3))
          .run(List.of("fgsm", "clean"), batches, (attack, done) -> told.add(attack + done));
    }
    assertEquals(List.of("fgsm20", "fgsm40", "fgsm50", "clean20", "clean40", "clean50"), told);
  }

  @Test
  void noImagesGiveNoAccuracy() {
    Result none = run(teacher, BALL, 0, 20, "fgsm").get(0);
    assertEquals(0, none.images());
    assertEquals(0, none.accuracy());
    assertEquals(0, none.worstAccuracy());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theModeIsRestored(boolean training) {
    teacher.train(training);
    run(teacher, BALL, 20, 10, "clean", "fgsm");
    assertEquals(training, teacher.training());
    try (Batches batches = batches(mini, 20, 10)) {
      Evaluation evaluation = new Evaluation(teacher, BALL, new Seeds(3));
      assertThrows(
          IllegalStateException.class,
          () ->
              evaluation.run(
                  List.of("fgsm"),
                  batches,
                  (attack, done) -> {
                    assertFalse(teacher.training());
                    throw new IllegalStateException("stopped");
                  }));
    }
    assertEquals(training, teacher.training());
  }

  @Test
  void asManyTensorsAreAliveAfterAsBefore() {
    run(teacher, BALL, 20, 10, "clean", "fgsm");
    long before = Scope.alive();
    run(teacher, BALL, 20, 10, "clean", "fgsm");
    assertEquals(before, Scope.alive());
  }
}
