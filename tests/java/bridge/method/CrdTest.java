package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.method.parts.MemoryBanks;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Negatives;
import bridge.method.parts.Reference;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** CRD: its memory banks, the contrast, and which negatives are drawn. */
class CrdTest extends SmallBatchTest {
  /** One image and two negatives in two dimensions; all products are plain numbers. */
  @ParameterizedTest
  @EnumSource(Reference.class)
  void banksScoreAndRememberAsComputedByHand(Reference reference) {
    MemoryBanks banks =
        new MemoryBanks(
            new MemoryBanks.Settings(reference, 1, 0.25), 3, 2, DType.FLOAT64, threeImages());
    Map<String, Tensor> state = banks.state();
    state.get("banks.student").copy_(Tensor.of(new double[] {1, 0, 0, 1, -1, 0}, 3, 2));
    state.get("banks.teacher").copy_(Tensor.of(new double[] {0, 1, 1, 0, 0, -1}, 3, 2));
    Tensor s = Tensor.of(new double[] {0.6, 0.8}, 1, 2);
    Tensor t = Tensor.of(new double[] {1, 0}, 1, 2);
    Tensor own = Tensor.of(new long[] {0}, 1);
    Tensor drawn = Tensor.of(new long[] {0, 1, 2}, 1, 3);
    double[] ofStudent = {Math.exp(0.8), Math.exp(0.6), Math.exp(-0.8)};
    double[] ofTeacher = {Math.exp(1), 1, Math.exp(-1)};
    boolean code = reference == Reference.CODE;
    double zs = code ? Arrays.stream(ofStudent).sum() : 1; // n times the mean of the three
    double zt = code ? Arrays.stream(ofTeacher).sum() : 1;
    double eps = code ? 1e-7 : 0;
    double[] constants = code ? new double[] {zs, zt} : new double[2];
    assertEquals(
        contrast(ofStudent, zs, eps) + contrast(ofTeacher, zt, eps),
        banks.loss(s, t, own, drawn).item(),
        1e-12);
    assertArrayEquals(constants, state.get("banks.constants").toDoubles(), 1e-12);
    double h = 0.1 / Math.sqrt(0.85);
    assertArrayEquals(
        new double[] {7 * h, 6 * h, 0, 1, -1, 0}, state.get("banks.student").toDoubles(), 1e-15);
    double r = 0.25 / Math.sqrt(0.625);
    assertArrayEquals(
        new double[] {3 * r, r, 1, 0, 0, -1}, state.get("banks.teacher").toDoubles(), 1e-15);

    // the constants stay, the banks are those of before
    double[] next = {Math.exp(2.6 * r), Math.exp(0.6), Math.exp(-0.8)};
    double[] nextTeacher = {Math.exp(7 * h), 1, Math.exp(-1)};
    assertEquals(
        contrast(next, zs, eps) + contrast(nextTeacher, zt, eps),
        banks.loss(s, t, own, drawn).item(),
        1e-12);
    assertArrayEquals(constants, state.get("banks.constants").toDoubles(), 1e-12);
  }

  private static double contrast(double[] scores, double z, double eps) {
    double noise = 2.0 / 3;
    double sum = 0;
    for (int i = 0; i < scores.length; i++) {
      double p = scores[i] / z;
      sum += Math.log((i == 0 ? p : noise) / (p + noise + eps));
    }
    return -sum;
  }

  @Test
  void thePapersContrastHasItsOwnTemperature() {
    String json = "{'name': 'crd', 'negatives': 3, 'reference': 'PAPER'%s}";
    assertEquals(contrast(json.formatted(", 'nceTemperature': 0.1")), contrast(json.formatted("")));
    String code = "{'name': 'crd', 'negatives': 3%s}";
    assertEquals(
        contrast(code.formatted(", 'nceTemperature': 0.07")), contrast(code.formatted("")));
    assertNotEquals(contrast(code.formatted("")), contrast(json.formatted("")), 1e-3);
  }

  private double contrast(String json) {
    return method(json).begin(inputs(1)).descend(adversarial).terms().get("crd").item();
  }

  /** Z is a number, not a function of the embeddings. */
  @Test
  void noGradientFlowsThroughTheConstantsOfTheFirstBatch() {
    Method first = method("{'name': 'crd', 'negatives': 3}");
    first.begin(inputs(1)).descend(adversarial).total().backward();
    double[] gradient = first.parameters().get("embed.student.weight").grad().toDoubles();
    Tensor constants = first.state().get("banks.constants").copy();
    Method set = method("{'name': 'crd', 'negatives': 3}");
    set.state().get("banks.constants").copy_(constants);
    set.begin(inputs(1)).descend(adversarial).total().backward();
    assertArrayEquals(
        gradient, set.parameters().get("embed.student.weight").grad().toDoubles(), 1e-12);
  }

  @Test
  void onlyTheBatchIsRememberedAndAtLengthOne() {
    for (String bank : List.of("banks.student", "banks.teacher")) {
      Method method = method("{'name': 'crd', 'negatives': 3}");
      Tensor rows = method.state().get(bank);
      assertArrayEquals(new long[] {LABELS.length, 128}, rows.sizes());
      assertTrue(rows.abs().max().item() <= 1 / Math.sqrt(128 / 3.0));
      double[] before = rows.toDoubles();
      method.begin(inputs(1)).descend(adversarial);
      double[] after = rows.toDoubles();
      for (int image = 0; image < LABELS.length; image++) {
        double[] then = Arrays.copyOfRange(before, image * 128, image * 128 + 128);
        double[] now = Arrays.copyOfRange(after, image * 128, image * 128 + 128);
        int number = image;
        if (Arrays.stream(INDICES).anyMatch(i -> i == number)) {
          assertEquals(1, Arrays.stream(now).map(v -> v * v).sum(), 1e-12, bank + image);
        } else {
          assertArrayEquals(then, now, 0, bank + image);
        }
      }
    }
  }

  @Test
  void negativesAreOfOtherClassesAndDependOnPlaceAlone() {
    int[] labels = new int[300];
    Arrays.setAll(labels, i -> i % 50 == 7 ? -1 : i % 4);
    Negatives negatives = new Negatives(labels, 4, new Seeds(3));
    assertEquals(294, negatives.images());
    int[] counts = new int[labels.length];
    int draws = 100;
    for (int step = 1; step <= draws; step++) {
      long[] rows = negatives.rows(new int[] {0, 5}, 60, step);
      assertEquals(2 * 61, rows.length);
      for (int row = 0; row < 2; row++) {
        long own = rows[row * 61];
        assertEquals(row == 0 ? 0 : 5, own);
        long[] others = Arrays.copyOfRange(rows, row * 61 + 1, row * 61 + 61);
        assertEquals(60, Arrays.stream(others).distinct().count(), "no repetition");
        for (long other : others) {
          assertTrue(labels[(int) other] >= 0 && labels[(int) other] != labels[(int) own]);
        }
        if (row == 0) {
          Arrays.stream(others).forEach(other -> counts[(int) other]++);
        }
      }
      assertArrayEquals(Arrays.copyOfRange(rows, 61, 122), negatives.rows(new int[] {5}, 60, step));
    }
    assertNotEquals(
        Arrays.toString(negatives.rows(new int[] {0}, 60, 1)),
        Arrays.toString(negatives.rows(new int[] {0}, 60, 2)));
    // binomial: 100 draws of share 60 / others, at most 6 standard deviations off
    int[] drawable =
        java.util.stream.IntStream.range(0, labels.length)
            .filter(i -> labels[i] > 0)
            .map(i -> counts[i])
            .toArray();
    double share = 60.0 / drawable.length;
    double deviation = Math.sqrt(draws * share * (1 - share));
    for (int count : drawable) {
      assertEquals(draws * share, count, 6 * deviation);
    }
  }

  @Test
  void moreNegativesThanThereAreRepeat() {
    Negatives negatives = new Negatives(new int[] {0, 1, 1, 0}, 2, new Seeds(1));
    long[] row = negatives.rows(new int[] {3}, 40, 1);
    assertEquals(3, row[0]);
    assertArrayEquals(new long[] {1, 2}, Arrays.stream(row).skip(1).distinct().sorted().toArray());
  }

  @Test
  void oneClassHasNoNegatives() {
    UsageException e =
        assertThrows(
            UsageException.class, () -> new Negatives(new int[] {1, 1, -1}, 2, new Seeds(1)));
    assertTrue(e.getMessage().contains("two classes"), e.getMessage());
  }

  private static MethodContext threeImages() {
    return new MethodContext(
        null, List.of(), CLASSES, new long[] {2, 4, 4}, new int[3], new Seeds(1), Device.CPU);
  }
}
