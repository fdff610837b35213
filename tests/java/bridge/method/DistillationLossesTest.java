package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.loss.Divergence;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The papers' formulas on toy networks in float64, warm-up and refusals. */
class DistillationLossesTest extends ToyTest {
  private double[][] s;
  private double[][] sAdv;
  private double[][] t;
  private double[][] tAdv;
  private final int[] y = {0, 1, 2, 3, 0, 2};

  /** The mean over the batch of what is made of each sample. */
  private static double mean(IntToDoubleFunction each) {
    return IntStream.range(0, BATCH).mapToDouble(each).average().orElseThrow();
  }

  private static double[] softmax(double[] z, double temperature) {
    double sum = 0;
    double[] p = new double[z.length];
    for (int k = 0; k < z.length; k++) {
      p[k] = Math.exp(z[k] / temperature);
      sum += p[k];
    }
    for (int k = 0; k < z.length; k++) {
      p[k] /= sum;
    }
    return p;
  }

  private static double kl(double[] from, double[] to, double temperature) {
    double[] p = softmax(from, temperature);
    double[] q = softmax(to, temperature);
    double sum = 0;
    for (int k = 0; k < p.length; k++) {
      sum += p[k] * Math.log(p[k] / q[k]);
    }
    return sum;
  }

  private double ce(double[][] z) {
    return mean(i -> -Math.log(softmax(z[i], 1)[y[i]]));
  }

  /** −log(1 − max_{k≠y} p'_k). */
  private double margin(int i) {
    double[] p = softmax(sAdv[i], 1);
    p[y[i]] = 0;
    return -Math.log(1 - Arrays.stream(p).max().orElseThrow());
  }

  private double trust(int i) {
    return Math.pow(softmax(tAdv[i], 1)[y[i]], 0.1);
  }

  private double introspective(double[][] target, double temperature, double alpha) {
    double squared = temperature * temperature;
    double imitated = mean(i -> trust(i) * squared * kl(target[i], sAdv[i], temperature));
    double own = mean(i -> (1 - trust(i)) * kl(s[i], sAdv[i], 1));
    return alpha * (imitated + own) + (1 - alpha) * ce(s);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'name':'trades','beta':3}",
        "{'name':'mart','beta':3}",
        "{'name':'ard','alpha':0.7,'temperature':5}",
        "{'name':'rslad'}",
        "{'name':'ada-ad','alpha':0.7}",
        "{'name':'iad','begin':0,'alpha':0.7,'temperature':2}",
        "{'name':'ada-iad','begin':0,'alpha':0.7,'temperature':2}"
      })
  void papersFormulasAreThose(String json) {
    String name = json.replaceFirst("\\{'name':'([\\w-]+)'.*", "$1");
    boolean alone = name.equals("trades") || name.equals("mart");
    Method method = method(new Variant(json.replace("}", ",'reference':'PAPER'}"), alone ? 0 : 1));
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    s = rows(student.logits(inputs.images()));
    sAdv = rows(student.logits(adversarial));
    if (!alone) {
      t = rows(teachers.get(0).network().logits(inputs.images()));
      tAdv = rows(teachers.get(0).network().logits(adversarial));
    }
    double expected =
        switch (name) {
          case "trades" -> ce(s) + 3 * mean(i -> kl(s[i], sAdv[i], 1));
          case "mart" ->
              ce(sAdv)
                  + mean(this::margin)
                  + 3 * mean(i -> kl(s[i], sAdv[i], 1) * (1 - softmax(s[i], 1)[y[i]]));
          case "ard" -> 0.7 * 25 * mean(i -> kl(t[i], sAdv[i], 5)) + 0.3 * ce(s);
          case "rslad" ->
              5.0 / 6 * mean(i -> kl(t[i], sAdv[i], 1)) + 1.0 / 6 * mean(i -> kl(t[i], s[i], 1));
          case "ada-ad" ->
              0.7 * mean(i -> kl(tAdv[i], sAdv[i], 1)) + 0.3 * mean(i -> kl(t[i], s[i], 1));
          case "iad" -> introspective(t, 2, 0.7);
          case "ada-iad" -> introspective(tAdv, 2, 0.7);
          default -> throw new AssertionError(name);
        };
    Loss loss = method.begin(inputs).descend(adversarial);
    assertEquals(expected, loss.total().item(), 1e-12 * Math.max(1, expected));
    double sum = loss.terms().values().stream().mapToDouble(Tensor::item).sum();
    assertEquals(sum, loss.total().item(), 1e-12 * Math.max(1, sum));
  }

  private static double[][] rows(Tensor logits) {
    double[] flat = logits.detach().contiguous().toDoubles();
    double[][] rows = new double[BATCH][];
    for (int i = 0; i < BATCH; i++) {
      rows[i] = Arrays.copyOfRange(flat, i * CLASSES, (i + 1) * CLASSES);
    }
    return rows;
  }

  @Test
  void theTwoReductionsDifferByTheNumberOfClasses() {
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    for (String name : List.of("ard", "rslad", "ada-ad", "kd", "drkd")) {
      double[] totals = new double[2];
      for (Reduction reduction : Reduction.values()) {
        String json = "{'name':'%s','reduction':'%s','alpha':1}".formatted(name, reduction);
        json = name.equals("kd") ? json.replace("}", ",'gamma':0}") : json;
        Loss loss = method(new Variant(json, 1)).begin(inputs).descend(adversarial);
        totals[reduction.ordinal()] = loss.total().item();
      }
      assertEquals(totals[0], totals[1] * CLASSES, 1e-12 * totals[0], name);
    }
  }

  @Test
  void rsladsMultiplierAndOffsetMoveTheValueOnly() {
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    Map<String, double[]> gradients = new LinkedHashMap<>();
    Map<String, Double> values = new LinkedHashMap<>();
    for (String more : List.of("'logOffset':0", "'logOffset':0.01", "'multiplier':10")) {
      Method method = method(new Variant("{'name':'rslad',%s}".formatted(more), 1));
      Loss loss = method.begin(inputs).descend(adversarial);
      loss.total().backward();
      values.put(more, loss.total().item());
      gradients.put(more, student.parameters().get("fc.weight").grad().toDoubles());
    }
    assertTrue(values.get("'logOffset':0.01") > values.get("'logOffset':0") + 1e-4);
    double[] plain = gradients.get("'logOffset':0");
    for (int i = 0; i < plain.length; i++) {
      assertEquals(plain[i], gradients.get("'logOffset':0.01")[i], 1e-14);
      assertEquals(10 * plain[i], gradients.get("'multiplier':10")[i], 1e-13);
    }
  }

  /** Probabilities that are 0 add 0, whatever their logarithm. */
  @Test
  void aCertainTeacherGivesFiniteDivergences() {
    Tensor certain = Tensor.of(new double[] {2000, 0, -2000, 0}, 1, 4);
    Tensor own = Tensor.of(new double[] {1, 2, 0, -1}, 1, 4).requiresGrad_(true);
    double expected = -own.logSoftmax(1).select(1, 0).item();
    assertEquals(expected, Divergence.softened(certain, own, 1).item(), 1e-12);
    assertEquals(expected, Divergence.offset(certain, own, 0).item(), 1e-12);
    assertEquals(expected + Math.log1p(0.01), Divergence.offset(certain, own, 0.01).item(), 1e-12);
  }

  @ParameterizedTest
  @CsvSource({"iad, I", "iad, II", "ada-iad,"})
  void introspectionBeginsAfterItsWarmUp(String name, String version) {
    String more = version == null ? "" : ",'version':'%s'".formatted(version);
    Method method =
        method(
            new Variant(
                "{'name':'%s','begin':3%s}".formatted(name, more), "II".equals(version) ? 2 : 1));
    for (int epoch = 1; epoch <= 5; epoch++) {
      Inputs inputs = inputs(epoch);
      Loss loss = method.begin(inputs).descend(moved(inputs.images()));
      assertEquals(epoch > 3, loss.terms().containsKey("self"), "epoch " + epoch);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {'name':'trades'}                       | 1 | method trades takes no teachers, found 1 (ADVERSARIAL)
          {'name':'mart'}                         | 2 | method mart takes no teachers, found 2 (ADVERSARIAL, CLEAN)
          {'name':'kd'}                           | 0 | method kd takes one finished teacher, found none
          {'name':'ard'}                          | 0 | method ard takes one finished teacher, found none
          {'name':'ard'}                          | 2 | method ard takes one finished teacher, found 2
          {'name':'iad'}                          | 2 | method iad takes one finished teacher, found 2
          {'name':'iad','version':'II'}           | 1 | method iad takes two teachers
          {'name':'iad','version':'III'}          | 1 | method.version must be one of I, II, found III
          {'name':'iad','alpha1':0.5}             | 1 | unknown key method.alpha1
          {'name':'iad','version':'II','alpha':1} | 2 | unknown key method.alpha
          {'name':'iad','version':'II','alpha1':0.9,'alpha2':0.2} | 2 | method.alpha1 and method.alpha2 must come to at most 1
          {'name':'rslad'}                        | 2 | method rslad takes one finished teacher, found 2
          {'name':'ada-ad'}                       | 0 | method ada-ad takes one finished teacher, found none
          {'name':'ada-iad'}                      | 2 | method ada-iad takes one finished teacher, found 2
          {'name':'drkd'}                         | 2 | method drkd takes one finished teacher, found 2
          {'name':'ca-mkd'}                       | 0 | method ca-mkd takes one or more finished teachers, found none
          {'name':'ard','temperature':0}          | 1 | method.temperature must be a number from 0.01 to 1000, found 0
          {'name':'ard','alpha':1.5}              | 1 | method.alpha must be a number from 0 to 1, found 1.5
          {'name':'ard','reduction':'SUM'}        | 1 | method.reduction must be one of BATCHMEAN, MEAN, found SUM
          {'name':'trades','reference':'code2'}   | 0 | method.reference must be one of CODE, PAPER, found code2
          {'name':'iad','begin':-1}               | 1 | method.begin must be a number from 0 to 1000000, found -1
          {'name':'ca-mkd','ensemble':'AEKD'}     | 2 | method.ensemble must be one of CAMKD, AVERAGE, EBKD, found AEKD
          """)
  void wrongOptionsAndTeachersAreRefusedInOneLine(String json, int count, String line) {
    UsageException e = assertThrows(UsageException.class, () -> method(new Variant(json, count)));
    assertTrue(e.getMessage().startsWith(line), e.getMessage());
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
  }
}
