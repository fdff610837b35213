package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.Reference;
import bridge.method.parts.Teacher;
import bridge.method.parts.Turn;
import bridge.model.Mode;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The published methods on toy networks in float64: gradients against finite differences, who is
 * asked about what in which order, the papers' formulas, warm-up, refusals.
 */
class DistillationLossesTest extends ToyTest {
  /** Central differences of a smooth loss in float64: error about h² plus 1e-16 / h. */
  private static final double H = 1e-5;

  private static final double TOLERANCE = 1e-8;

  static Stream<Variant> variants() {
    List<Variant> all = new ArrayList<>();
    all.add(new Variant("{'name':'pgd-at'}", 0));
    all.add(new Variant("{'name':'pgd-at','cleanPass':true}", 0));
    all.add(new Variant("{'name':'kd'}", 1));
    all.add(new Variant("{'name':'kd','temperature':2,'alpha':3,'reduction':'MEAN'}", 1));
    all.add(new Variant("{'name':'drkd'}", 1));
    all.add(new Variant("{'name':'drkd','temperature':2,'multiplier':3,'alpha':0.4}", 1));
    for (Reference reference : Reference.values()) {
      all.add(new Variant("{'name':'trades','reference':'%s'}".formatted(reference), 0));
      all.add(new Variant("{'name':'mart','reference':'%s'}".formatted(reference), 0));
      for (String method : List.of("ard", "ada-ad", "rslad")) {
        all.add(new Variant("{'name':'%s','reference':'%s'}".formatted(method, reference), 1));
        all.add(
            new Variant(
                "{'name':'%s','reference':'%s','alpha':0.7}".formatted(method, reference), 1));
      }
      for (String method : List.of("iad", "ada-iad")) {
        for (String more : List.of("1,'begin':0", "0.6,'begin':0,'temperature':3", "0.6")) {
          all.add(
              new Variant(
                  "{'name':'%s','reference':'%s','alpha':%s}".formatted(method, reference, more),
                  1));
        }
      }
      String still = "'reference':'%s','weightLearnRate':0,'weightNat':0.3".formatted(reference);
      all.add(new Variant("{'name':'mtard','multiplier':10,%s}".formatted(still), 2));
      all.add(
          new Variant(
              "{'name':'b-mtard','temperatureNat':3,'temperatureLearnRate':0,%s}".formatted(still),
              2));
      for (CaMkd.Ensemble ensemble : CaMkd.Ensemble.values()) {
        for (String more : List.of("0", "2,'begin':0", "2,'begin':0,'featLayer':'map'")) {
          all.add(
              new Variant(
                  "{'name':'ca-mkd','reference':'%s','ensemble':'%s','beta':%s}"
                      .formatted(reference, ensemble, more),
                  3));
        }
      }
    }
    all.add(new Variant("{'name':'iad','version':'II'}", 2));
    all.add(new Variant("{'name':'iad','version':'II','begin':0,'temperature':2}", 2));
    return all.stream();
  }

  // ---- gradients -----------------------------------------------------------------------------

  @ParameterizedTest
  @MethodSource("variants")
  void gradientsOfTheOuterLossAreThoseOfFiniteDifferences(Variant variant) {
    Method method = method(variant);
    Inputs inputs = inputs(2);
    Tensor adversarial = moved(inputs.images());
    teachersWouldTakeGradients();
    method.begin(inputs).descend(adversarial).total().backward();
    Map<String, Tensor> all = new LinkedHashMap<>(student.parameters());
    all.putAll(method.parameters());
    all.forEach(
        (name, parameter) -> {
          Tensor gradient = parameter.grad();
          for (long at : new long[] {0, parameter.numel() / 2, parameter.numel() - 1}) {
            double exact = gradient == null ? 0 : gradient.flatten(0).select(0, at).item();
            double measured =
                difference(
                    parameter, at, () -> method.begin(inputs).descend(adversarial).total().item());
            assertEquals(measured, exact, TOLERANCE * Math.max(1, Math.abs(measured)), name);
          }
        });
    for (Teacher teacher : teachers) {
      teacher.network().parameters().forEach((name, p) -> assertNull(p.grad(), name));
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void gradientsOfTheInnerObjectiveAreThoseOfFiniteDifferences(Variant variant) {
    Inputs inputs = inputs(2);
    Method method = method(variant);
    boolean attacked = !variant.json().matches(".*'(kd|drkd|ca-mkd)'.*");
    assertEquals(attacked, method.begin(inputs).objective().isPresent());
    if (!attacked) {
      return;
    }
    Tensor x = moved(inputs.images()).requiresGrad_(true);
    Objective objective = method.begin(inputs).objective().orElseThrow();
    Tensor gradient = objective.at(x).gradient(x).flatten(0);
    for (long at : new long[] {0, 17, x.numel() - 1}) {
      double measured = difference(x, at, () -> objective.at(x).item());
      assertEquals(measured, gradient.select(0, at).item(), TOLERANCE);
    }
  }

  /** What the gradient of the divergence is when one of its sides is held constant. */
  @Test
  void tradesAndAdaAdDifferentiateBothSides() {
    Inputs inputs = inputs(1);
    Tensor moved = inputs.images().neg().add(1);
    Method trades = method(new Variant("{'name':'trades','beta':1}", 0));
    Tensor own = Constant.of(() -> student.logits(inputs.images()));
    trades.begin(inputs).descend(moved).total().backward();
    Tensor full = student.parameters().get("fc.weight").grad().copy();
    student.parameters().values().forEach(Tensor::clearGrad);
    Tensor ce = Losses.crossEntropy(student.logits(inputs.images()), inputs.labels());
    ce.add(Divergence.softened(own, student.logits(moved), 1).mean()).backward();
    Tensor held = student.parameters().get("fc.weight").grad();
    assertTrue(full.sub(held).abs().max().item() > 1e-4);

    Method adaAd = method(new Variant("{'name':'ada-ad'}", 1));
    Tensor x = moved.detach().requiresGrad_(true);
    Tensor through = adaAd.begin(inputs).objective().orElseThrow().at(x).gradient(x);
    Tensor said = Constant.of(() -> teachers.get(0).network().logits(x));
    Tensor heldAt = Divergence.softened(said, student.logits(x), 1).mean().gradient(x);
    assertTrue(through.sub(heldAt).abs().max().item() > 1e-5);
  }

  private interface Value {
    double get();
  }

  private static double difference(Tensor parameter, long at, Value loss) {
    Tensor flat = parameter.detach().flatten(0).narrow(0, at, 1);
    flat.add_(H);
    double up = loss.get();
    flat.add_(-2 * H);
    double down = loss.get();
    flat.add_(H);
    return (up - down) / (2 * H);
  }

  private void teachersWouldTakeGradients() {
    for (Teacher teacher : teachers) {
      teacher.network().parameters().values().forEach(p -> p.requiresGrad_(true));
    }
  }

  // ---- passes --------------------------------------------------------------------------------

  /**
   * s the student, t0 and t1 teachers; x the clean images, a the attack's, x* those of one step of
   * the attack.
   */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {'name':'pgd-at'}                            | s(x*) eval                                 | s(a)
          {'name':'pgd-at','cleanPass':true}           | s(x*) eval                                 | s(a), s(x)
          {'name':'trades'}                            | s(x) eval, s(x*) eval                      | s(x), s(a), s(x)
          {'name':'trades','reference':'paper'}        | s(x) eval, s(x*) eval                      | s(x), s(a)
          {'name':'mart'}                              | s(x*) eval                                 | s(x), s(a)
          {'name':'kd'}                                | none                                       | s(x), t0(x) eval
          {'name':'drkd'}                              | none                                       | s(x), t0(x) eval
          {'name':'ard'}                               | s(x*) eval                                 | s(a), t0(x) eval, s(x)
          {'name':'ard','reference':'paper'}           | s(x*) eval                                 | s(a), t0(x) eval
          {'name':'ard','reference':'paper','alpha':0} | s(x*) eval                                 | s(a), t0(x) eval, s(x)
          {'name':'iad'}                               | s(x*) eval                                 | t0(x) eval, s(a), s(a), t0(a) eval, s(x)
          {'name':'iad','begin':0}                     | s(x*) eval                                 | t0(x) eval, s(a), s(a), t0(a) eval, s(x), s(x)
          {'name':'iad','reference':'paper'}           | s(x*) eval                                 | t0(x) eval, s(a), t0(a) eval
          {'name':'iad','reference':'paper','begin':0,'alpha':0.5} | s(x*) eval                     | t0(x) eval, s(a), t0(a) eval, s(x)
          {'name':'iad','version':'II'}                | s(x*) eval                                 | s(a), t0(a) eval, t1(a) eval
          {'name':'iad','version':'II','begin':0}      | s(x*) eval                                 | s(a), t0(a) eval, t1(a) eval, s(x)
          {'name':'rslad'}                             | t0(x) eval, s(x*) eval                     | s(a), s(x)
          {'name':'ada-ad'}                            | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval, t0(x) eval
          {'name':'ada-ad','reference':'paper'}        | t0(x*) eval, s(x*) eval                    | s(a), t0(a) eval
          {'name':'ada-iad'}                           | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval, s(x)
          {'name':'ada-iad','begin':0}                 | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval, s(x), s(x)
          {'name':'ada-iad','reference':'paper','begin':0} | t0(x*) eval, s(x*) eval                | s(a), t0(a) eval, s(x)
          {'name':'ca-mkd','beta':0}                   | none                                       | s(x), t0(x) eval, t1(x) eval
          """)
  void networksAreAskedInTheOrderOfTheScripts(String json, String inner, String outer) {
    boolean one = !json.contains("ca-mkd") && !json.contains("II");
    boolean none = json.matches(".*'(pgd-at|trades|mart)'.*");
    List<String> log = new ArrayList<>();
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    Method method = watched(new Variant(json, none ? 0 : one ? 1 : 2), inputs, adversarial, log);
    student.train(true);
    Turn turn;
    try (Mode _ = Mode.eval(student)) {
      turn = method.begin(inputs);
      turn.objective().ifPresent(objective -> objective.at(inputs.images().mul(0.9)));
    }
    assertEquals(inner, log.isEmpty() ? "none" : String.join(", ", log));
    log.clear();
    turn.descend(adversarial);
    assertEquals(outer, String.join(", ", log));
  }

  private Method watched(Variant variant, Inputs inputs, Tensor adversarial, List<String> log) {
    networks(variant.teachers());
    List<Teacher> seen = new ArrayList<>();
    for (Teacher teacher : teachers) {
      WatchedNetwork network = new WatchedNetwork("t" + seen.size(), teacher.network(), log);
      network.knows(inputs.images(), "x");
      network.knows(adversarial, "a");
      seen.add(new Teacher(teacher.name(), teacher.role(), network, teacher.feature()));
    }
    WatchedNetwork watched = new WatchedNetwork("s", student, log);
    watched.knows(inputs.images(), "x");
    watched.knows(adversarial, "a");
    return create(variant.json(), setting(watched, seen));
  }

  @Test
  void rsladsTeacherIsAskedOnceABatchAndAnswersForItsOwnBatchOnly() {
    Method method = method(new Variant("{'name':'rslad'}", 1));
    Inputs first = inputs(1);
    Tensor adversarial = moved(first.images());
    double alone = method.begin(first).descend(adversarial).total().item();
    method.begin(first);
    assertEquals(alone, method.begin(first).descend(adversarial).total().item(), 0);
    Inputs other = new Inputs(first.images().mul(0.5), first.labels(), first.indices(), 1, 2, 1);
    double fresh = method.begin(other).descend(adversarial).total().item();
    method.begin(first);
    assertEquals(fresh, method.begin(other).descend(adversarial).total().item(), 0);
    assertNotEquals(alone, fresh, 1e-6);
  }

  // ---- formulas ------------------------------------------------------------------------------

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

  // ---- refusals ------------------------------------------------------------------------------

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
