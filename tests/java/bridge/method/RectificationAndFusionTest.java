package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.loss.Losses;
import bridge.method.parts.FusedTarget;
import bridge.method.parts.Rectification;
import bridge.method.parts.TeacherWeights;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The three teachers and labels of the reference's vectors, in double precision (6 digits). */
class RectificationAndFusionTest {
  private static final double DIGITS = 1.01e-6;

  private Scope scope;
  private Tensor labels;
  private Tensor sNat;
  private Tensor sAdv;
  private List<Tensor> teachers;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    labels = Tensor.of(new long[] {0, 2, 4}, 3);
    sNat = rows(2.0, 0.5, -1.0, 0.0, 0.3, 0.2, 1.5, 1.0, -0.5, 0.0, -0.3, 0.1, 0.4, 0.2, 1.2);
    sAdv = rows(1.0, 1.2, -0.5, 0.1, 0.4, 0.6, 1.8, 0.3, -0.2, 0.1, 0.2, 0.3, 0.9, 0.1, 0.7);
    teachers =
        List.of(
            rows(5.0, 1.0, -2.0, 0.0, 0.5, 0.0, 3.0, 2.5, -1.0, 0.5, -1.0, 0.0, 0.5, 0.3, 4.0),
            rows(2.5, 1.0, -1.0, 0.2, 0.3, 0.3, 1.2, 1.6, -0.3, 0.2, 0.0, 0.2, 1.1, 0.1, 0.9),
            rows(1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.5, 3.5, 0.0, 0.0, 0.5, 0.0, 0.0, 2.0, 1.0));
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Tensor rows(double... values) {
    return Tensor.of(values, values.length / 5, 5);
  }

  private List<Tensor> swapped() {
    return teachers.stream().map(z -> rule(Rectification.Rule.SWAP).apply(z, labels)).toList();
  }

  private static Rectification rule(Rectification.Rule rule) {
    return new Rectification(rule, 1, 0.1, 1);
  }

  private static TeacherWeights camkd(TeacherWeights.From from) {
    return new TeacherWeights(TeacherWeights.Rule.CAMKD, from, 1);
  }

  private static FusedTarget fused(FusedTarget.Space space) {
    return new FusedTarget(space, 1, true);
  }

  @Test
  void crossEntropiesAndDivergencesAreTheVectors() {
    assertArrayEquals(
        new double[] {1.223750, 2.111038, 1.397992},
        Losses.crossEntropyPerSample(sAdv, labels).toDoubles(),
        DIGITS);
    assertEquals(0.877979, Losses.crossEntropy(sNat, labels).item(), DIGITS);
    assertArrayEquals(
        new double[] {0.254176, 0.084503, 0.090206},
        Losses.klPerSample(sNat.softmax(1), sAdv).toDoubles(),
        DIGITS);
    assertArrayEquals(
        new double[] {0.254176, 0.084503, 0.090206},
        Losses.klBetweenLogits(sNat, sAdv).toDoubles(),
        DIGITS);
    assertEquals(0.793677, Losses.kl(teachers.get(0).softmax(1), sAdv).item(), DIGITS);
    // batchmean is C times the mean over all elements
    Tensor elements = sAdv.logSoftmax(1).klDiv(teachers.get(0).softmax(1));
    assertEquals(0.158735, elements.mean().item(), DIGITS);
  }

  @Test
  void swapExchangesTheTopLogitWithTheLabels() {
    List<Tensor> swapped = swapped();
    assertArrayEquals(
        new double[] {5, 1, -2, 0, .5, 0, 2.5, 3, -1, .5, -1, 0, .5, .3, 4},
        swapped.get(0).toDoubles());
    assertArrayEquals(
        new double[] {2.5, 1, -1, .2, .3, .3, 1.2, 1.6, -.3, .2, 0, .2, .9, .1, 1.1},
        swapped.get(1).toDoubles());
    assertArrayEquals(
        new double[] {2, 1, 0, 0, 0, 0, .5, 3.5, 0, 0, .5, 0, 0, 1, 2}, swapped.get(2).toDoubles());
    assertArrayEquals(
        new double[] {1, 2, 0, 0, 0},
        teachers.get(2).narrow(0, 0, 1).toDoubles(),
        "the teacher's own logits stay");
  }

  @Test
  void weightsAreTheVectors() {
    Tensor raw = camkd(TeacherWeights.From.RAW).of(teachers, swapped(), labels);
    assertArrayEquals(
        new double[] {
          .429194, .400020, .170786, .272862, .316569, .410569, .444414, .316053, .239533
        },
        raw.toDoubles(),
        DIGITS);
    Tensor rectified = camkd(TeacherWeights.From.RECTIFIED).of(teachers, swapped(), labels);
    assertArrayEquals(
        new double[] {
          .378715, .328740, .292545, .332250, .276646, .391104, .407973, .250665, .341362
        },
        rectified.toDoubles(),
        DIGITS);
  }

  @Test
  void fusedTargetAndItsDivergencesAreTheVectors() {
    Tensor a = camkd(TeacherWeights.From.RAW).of(teachers, swapped(), labels);
    FusedTarget fusion = fused(FusedTarget.Space.PROB);
    assertArrayEquals(
        new double[] {
          .783294, .103950, .021656, .043205, .047895, .055490, .202857, .650696, .033960, .056997,
          .067436, .068865, .118273, .097243, .648183
        },
        fusion.of(a, swapped()).toDoubles(),
        DIGITS);
    double adv = fusion.divergence(a, swapped(), sAdv).item();
    double nat = fusion.divergence(a, swapped(), sNat).item();
    assertEquals(0.552164, adv, DIGITS);
    assertEquals(0.161108, nat, DIGITS);
    assertEquals(0.486988, 5 * adv / 6 + nat / 6, DIGITS);
    FusedTarget loss = fused(FusedTarget.Space.LOSS);
    assertEquals(0.682222, loss.divergence(a, swapped(), sAdv).item(), DIGITS);
  }

  @Test
  void everyWeightingSumsToOneAndIsNotNegative() {
    long seed = System.nanoTime();
    Generator g = Generator.on(Device.CPU, seed);
    List<Tensor> logits =
        java.util.stream.Stream.generate(
                () -> Tensor.empty(DType.FLOAT64, Device.CPU, 3, 5).normal_(0, 5, g))
            .limit(4)
            .toList();
    for (var rule : TeacherWeights.Rule.values()) {
      Tensor a = new TeacherWeights(rule, TeacherWeights.From.RAW, 1).of(logits, logits, labels);
      String where = rule + ", seed " + seed;
      assertArrayEquals(new double[] {1, 1, 1}, a.sum(1).toDoubles(), 1e-9, where);
      assertTrue(a.min().item() >= 0, where);
    }
  }

  @Test
  void otherWeightingsFollowTheirFormulas() {
    double[] ce = new double[3]; // of the three teachers on the first sample
    double[] h = new double[3];
    double[] margin = new double[3];
    for (int k = 0; k < 3; k++) {
      double[] z = Arrays.copyOf(teachers.get(k).toDoubles(), 5);
      double sum = Arrays.stream(z).map(Math::exp).sum();
      ce[k] = Math.log(sum) - z[0];
      h[k] = Arrays.stream(z).map(v -> Math.exp(v) / sum).map(p -> -p * Math.log(p)).sum();
      margin[k] = z[0] - Arrays.stream(z, 1, 5).max().orElseThrow();
    }
    double[] negative = Arrays.stream(ce).map(c -> Math.exp(-c / 0.5)).toArray();
    double[] confidence = Arrays.stream(ce).map(c -> Math.exp(-c)).toArray();
    double all = Arrays.stream(h).sum();
    double[] entropy = Arrays.stream(h).map(v -> (1 - v / all) / 2).toArray();
    double[] lead = Arrays.stream(margin).map(v -> Math.exp(v / 0.5)).toArray();
    check(TeacherWeights.Rule.SOFTNEG, shares(negative));
    check(TeacherWeights.Rule.TRUEPROB, shares(confidence));
    check(TeacherWeights.Rule.ENTROPY, entropy);
    check(TeacherWeights.Rule.MARGIN, shares(lead));
    check(TeacherWeights.Rule.UNIFORM, new double[] {1. / 3, 1. / 3, 1. / 3});
  }

  private static double[] shares(double[] values) {
    double sum = Arrays.stream(values).sum();
    return Arrays.stream(values).map(v -> v / sum).toArray();
  }

  private void check(TeacherWeights.Rule rule, double[] expected) {
    TeacherWeights weights = new TeacherWeights(rule, TeacherWeights.From.RAW, 0.5);
    Tensor a = weights.of(teachers, teachers, labels);
    assertArrayEquals(expected, a.select(0, 0).toDoubles(), 1e-9, rule.name());
  }

  @Test
  void everyRuleMakesTheLabelWinAndLeavesRightTeachersAlone() {
    for (var rule :
        List.of(Rectification.Rule.SWAP, Rectification.Rule.RAISE, Rectification.Rule.MIX)) {
      for (double temperature : new double[] {1, 4}) {
        Rectification r = new Rectification(rule, 1, 0.1, temperature);
        for (Tensor z : teachers) {
          Tensor out = r.apply(z, labels);
          assertArrayEquals(labels.toLongs(), out.argmax(1).toLongs(), rule.name());
          Tensor right = Rectification.wrong(z, labels).logicalNot().unsqueeze(1);
          Tensor changed = out.sub(z).abs().mul(right.to(DType.FLOAT64));
          assertEquals(0, changed.max().item(), rule.name());
        }
      }
    }
  }

  @Test
  void swapIsIdempotentAndKeepsTheMultiset() {
    for (Tensor z : teachers) {
      Tensor once = rule(Rectification.Rule.SWAP).apply(z, labels);
      Tensor twice = rule(Rectification.Rule.SWAP).apply(once, labels);
      assertArrayEquals(once.toDoubles(), twice.toDoubles());
      for (int i = 0; i < 3; i++) {
        double[] before = z.select(0, i).toDoubles();
        double[] after = once.select(0, i).toDoubles();
        Arrays.sort(before);
        Arrays.sort(after);
        assertArrayEquals(before, after);
      }
    }
  }

  @Test
  void raiseAndMixLeadByTheirMargins() {
    Tensor z = teachers.get(2); // wrong on samples 1 and 3
    double[] raised = rule(Rectification.Rule.RAISE).apply(z, labels).select(0, 0).toDoubles();
    assertArrayEquals(new double[] {2 + 0.1 * (2 - 0), 2, 0, 0, 0}, raised, 1e-12);
    Tensor mixed = rule(Rectification.Rule.MIX).apply(z, labels).softmax(1);
    double[] p = mixed.select(0, 2).toDoubles();
    assertEquals(0.1, p[4] - p[3], 1e-9, "y leads the former first by the margin");
    double[] before = z.softmax(1).select(0, 2).toDoubles();
    assertEquals(before[0] / before[3], p[0] / p[3], 1e-9, "the others keep their proportions");
  }

  @Test
  void strengthBlendsRawAndRectified() {
    Rectification half = new Rectification(Rectification.Rule.SWAP, 0.5, 0.1, 1);
    double[] blended = half.apply(teachers.get(2), labels).select(0, 0).toDoubles();
    assertArrayEquals(new double[] {1.5, 1.5, 0, 0, 0}, blended, 1e-12);
  }

  @Test
  void logitFusionIsTheSoftmaxOfTheWeightedMean() {
    FusedTarget plain = new FusedTarget(FusedTarget.Space.LOGIT, 2, false);
    TeacherWeights uniform =
        new TeacherWeights(TeacherWeights.Rule.UNIFORM, TeacherWeights.From.RAW, 1);
    Tensor a = uniform.of(teachers, teachers, labels);
    Tensor mean =
        teachers.get(0).add(teachers.get(1)).add(teachers.get(2)).div(3).div(2).softmax(1);
    assertArrayEquals(mean.toDoubles(), plain.of(a, teachers).toDoubles(), 1e-12);
    FusedTarget aligned = new FusedTarget(FusedTarget.Space.LOGIT, 2, true);
    List<Tensor> louder = List.of(teachers.get(0).mul(9), teachers.get(1), teachers.get(2));
    assertArrayEquals(
        aligned.of(a, teachers).toDoubles(),
        aligned.of(a, louder).toDoubles(),
        1e-9,
        "a teacher's scale does not matter");
  }
}
