package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.UsageException;
import bridge.architecture.Init;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MemoryBanks;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Negatives;
import bridge.method.parts.Reference;
import bridge.method.parts.Regressor;
import bridge.method.parts.Teacher;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** PeerAiD, KD+SWA, VFD-Adv, FitNets and CRD on toy networks in float64. */
class OtherMethodsTest {
  private static final int CLASSES = 3;
  private static final int BATCH = 5;
  private static final int[] LABELS = {0, 1, 2, 0, 1, -1, 2, 0};
  private static final int[] INDICES = {7, 1, 2, 0, 4};

  /** Central differences of a smooth loss in float64: error about h² plus 1e-16 / h. */
  private static final double H = 1e-5;

  private static final double TOLERANCE = 1e-6;

  private Scope scope;
  private long aliveBefore;
  private ToyNetwork student;
  private List<Teacher> teachers;
  private Tensor adversarial;

  @BeforeEach
  void open() {
    aliveBefore = Scope.alive();
    scope = Scope.open("test");
    Generator g = Generator.on(Device.CPU, 4);
    Tensor images = inputs(1).images();
    adversarial = images.add(images.emptyLike().uniform_(-0.1, 0.1, g)).clamp(0, 1);
  }

  @AfterEach
  void close() {
    scope.close();
    assertEquals(aliveBefore, Scope.alive(), "native objects alive after the test");
  }

  // ---- gradients ---------------------------------------------------------------------------

  /** What the student and the method train; of the peer, see below. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'alp', 'lambda': 3, 'labelSmoothing': 0.2}",
        "{'name': 'kd-swa'}",
        "{'name': 'kd-swa', 'temperature': 1, 'lambdaCe': 0, 'lambdaClean': 2, 'lambdaAdv': 0}",
        "{'name': 'vfd-adv'}",
        "{'name': 'vfd-adv', 'featHead': 'LINEAR', 'lambda': 3, 'featDistance': 'COSINE'}",
        "{'name': 'vfd-adv', 'featDistance': 'MSE_NORMALISED', 'featLayer': 'map'}",
        "{'name': 'vfd-adv', 'base': 'TRADES'}",
        "{'name': 'vfd-adv', 'base': 'TRADES', 'beta': 0.5, 'featHead': 'LINEAR'}",
        "{'name': 'fitnets', 'featLayer': 'map'}",
        "{'name': 'fitnets', 'featLayer': 'map', 'alpha': 2, 'beta': 3, 'gamma': 0.5}",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 2}",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 1}",
        "{'name': 'crd', 'negatives': 3}",
        "{'name': 'crd', 'negatives': 9, 'featDim': 4, 'alpha': 1, 'nceTemperature': 0.5}",
        "{'name': 'crd', 'negatives': 3, 'reference': 'PAPER'}"
      })
  void gradientsAreThoseOfFiniteDifferences(String json) {
    Method method = method(json);
    Inputs inputs = inputs(2);
    method.begin(inputs).descend(adversarial); // CRD's constants are set
    Map<String, Tensor> all = new LinkedHashMap<>(student.parameters());
    all.putAll(method.parameters());
    gradientsAgree(method, all, () -> method.begin(inputs).descend(adversarial));
  }

  @Test
  void theStudentOfPeerAidDescendsBothLosses() {
    Method method = method("{'name': 'peer-aid', 'gamma2': 0.7, 'lambda1': 0.3}");
    gradientsAgree(
        method, student.parameters(), () -> method.begin(inputs(2)).descend(adversarial));
  }

  /** The student's distillation from the peer is a term whose value moves with the peer only. */
  @Test
  void thePeerDescendsItsOwnLossAlone() {
    String json = "{'name': 'peer-aid', 'gamma2': 0.7, 'lambda1': 0.3, 'lambda2': %s}";
    Method whole = method(json.formatted(5));
    Method own = TestMethods.of(options(json.formatted(0)), setting()); // of the same networks
    whole.begin(inputs(2)).descend(adversarial).total().backward();
    Map<String, Tensor> peer = whole.parameters();
    assertEquals(Set.of("peer.hidden.weight", "peer.fc.weight"), peer.keySet());
    peer.forEach(
        (name, p) ->
            compare(
                name, p, p.grad(), () -> own.begin(inputs(2)).descend(adversarial).total().item()));
  }

  /** Restores the method's state before every evaluation, since CRD's banks move with each. */
  private void gradientsAgree(
      Method method, Map<String, Tensor> parameters, java.util.function.Supplier<Loss> loss) {
    Map<String, Tensor> buffers = new LinkedHashMap<>(method.state());
    buffers.keySet().removeAll(method.parameters().keySet());
    Map<String, Tensor> before = new LinkedHashMap<>();
    buffers.forEach((name, t) -> before.put(name, t.copy()));
    java.util.function.DoubleSupplier value =
        () -> {
          before.forEach((name, t) -> buffers.get(name).copy_(t));
          return loss.get().total().item();
        };
    parameters.values().forEach(Tensor::clearGrad);
    loss.get().total().backward();
    before.forEach((name, t) -> buffers.get(name).copy_(t));
    parameters.forEach((name, p) -> compare(name, p, p.grad(), value));
  }

  private static void compare(
      String name, Tensor parameter, Tensor gradient, java.util.function.DoubleSupplier loss) {
    for (long at : new long[] {0, parameter.numel() / 2, parameter.numel() - 1}) {
      double exact = gradient == null ? 0 : gradient.flatten(0).select(0, at).item();
      double measured = difference(parameter, at, loss);
      assertEquals(measured, exact, TOLERANCE * Math.max(1, Math.abs(measured)), name);
    }
  }

  private static double difference(
      Tensor parameter, long at, java.util.function.DoubleSupplier loss) {
    Tensor flat = parameter.detach().flatten(0).narrow(0, at, 1);
    flat.add_(H);
    double up = loss.getAsDouble();
    flat.add_(-2 * H);
    double down = loss.getAsDouble();
    flat.add_(H);
    return (up - down) / (2 * H);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'alp'}",
        "{'name': 'peer-aid'}",
        "{'name': 'kd-swa'}",
        "{'name': 'vfd-adv'}",
        "{'name': 'vfd-adv', 'base': 'TRADES'}"
      })
  void theAttackClimbsTheGradientOfItsObjective(String json) {
    Method method = method(json);
    Objective objective = method.begin(inputs(1)).objective().orElseThrow();
    Tensor x = adversarial.detach().requiresGrad_(true);
    Tensor gradient = objective.at(x).gradient(x);
    compare("x", x, gradient, () -> objective.at(x).item());
    assertTrue(gradient.abs().max().item() > 1e-9);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'kd-swa'}",
        "{'name': 'vfd-adv', 'base': 'TRADES'}",
        "{'name': 'fitnets', 'featLayer': 'map', 'alpha': 1}",
        "{'name': 'crd', 'negatives': 3, 'alpha': 1}"
      })
  void finishedTeachersGetNoGradient(String json) {
    Method method = method(json);
    for (Teacher teacher : teachers) {
      teacher.network().parameters().values().forEach(p -> p.requiresGrad_(true));
    }
    method.begin(inputs(1)).descend(adversarial).total().backward();
    for (Teacher teacher : teachers) {
      teacher.network().parameters().forEach((name, p) -> assertNull(p.grad(), name));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{'name': 'peer-aid', 'lambda1': 1}; peerCe,peerKl,ce,peer,self",
        "{'name': 'kd-swa'}; ce,clean,adv",
        "{'name': 'vfd-adv'}; ce,featAdv,featNat",
        "{'name': 'vfd-adv', 'base': 'TRADES'}; ce,kl,featAdv,featNat",
        "{'name': 'fitnets', 'featLayer': 'map'}; ce,kd,hint",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 1}; hint",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 0}; ce,kd",
        "{'name': 'crd', 'negatives': 3}; ce,kd,crd"
      })
  void termsHaveNamesAndSumToTheTotal(String json, String names) {
    Loss loss = method(json).begin(inputs(1)).descend(adversarial);
    assertEquals(names, String.join(",", loss.terms().keySet()));
    double sum = loss.terms().values().stream().mapToDouble(Tensor::item).sum();
    assertEquals(sum, loss.total().item(), 1e-12);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"{'name': 'fitnets', 'featLayer': 'map'}", "{'name': 'crd', 'negatives': 3}"})
  void cleanMethodsAttackNothingAndSeeCleanImagesOnly(String json) {
    Method method = method(json);
    assertTrue(method.begin(inputs(1)).objective().isEmpty());
    double one = method.begin(inputs(1)).descend(adversarial).total().item();
    Method other = method(json);
    assertEquals(one, other.begin(inputs(1)).descend(adversarial.mul(0)).total().item(), 0);
  }

  // ---- PeerAiD -----------------------------------------------------------------------------

  @Test
  void weightsOfThePeerBelongToIt() {
    Method method = method("{'name': 'peer-aid', 'gamma1': 0, 'gamma2': 0, 'lambda1': 1}");
    method.begin(inputs(1)).descend(adversarial).total().backward();
    method.parameters().forEach((name, p) -> assertEquals(0, p.grad().abs().max().item(), 0, name));
    Method own = method("{'name': 'peer-aid', 'lambda2': 0, 'lambda3': 0, 'gamma2': 0}");
    own.begin(inputs(1)).descend(adversarial).total().backward();
    student
        .parameters()
        .forEach((name, p) -> assertEquals(0, p.grad().abs().max().item(), 0, name));
    own.parameters().forEach((name, p) -> assertTrue(p.grad().abs().max().item() > 1e-6, name));
  }

  /** The released code does not detach the student in the peer's loss. */
  @Test
  void thePeersDivergenceMovesTheStudentToo() {
    Method method = method("{'name': 'peer-aid', 'lambda2': 0, 'lambda3': 0}");
    method.begin(inputs(1)).descend(adversarial).total().backward();
    assertTrue(student.parameters().get("fc.weight").grad().abs().max().item() > 1e-9);
  }

  @Test
  void thePeersModesAreThoseOfItsTraining() {
    Method method = method("{'name': 'peer-aid'}");
    teachers.get(0).network().train(true);
    method.begin(inputs(1));
    assertTrue(teachers.get(0).network().training(), "as before the attack");
    teachers.get(0).network().train(false);
    method.begin(inputs(1)).descend(adversarial);
    assertEquals(false, teachers.get(0).network().training(), "as before the step");
  }

  // ---- KD+SWA ------------------------------------------------------------------------------

  @Test
  void softCrossEntropyIsTheDivergenceAndTheTeachersEntropy() {
    Loss loss =
        method("{'name': 'kd-swa', 'temperature': 3}").begin(inputs(1)).descend(adversarial);
    Tensor own = student.logits(adversarial);
    for (int i = 0; i < 2; i++) {
      Tensor said = teachers.get(i).network().logits(adversarial);
      Tensor p = said.div(3).softmax(1);
      double entropy = p.mul(p.log()).sum(1).mean().item() * -9;
      double divergence = Divergence.softened(said, own, 3).mean().item();
      boolean clean = teachers.get(i).role() == Teacher.Role.CLEAN;
      double weight = clean ? 0.1 : 0.6;
      assertEquals(
          weight * (divergence + entropy), loss.terms().get(clean ? "clean" : "adv").item(), 1e-12);
    }
  }

  // ---- VFD-Adv -----------------------------------------------------------------------------

  @Test
  void bothImagesAreDrawnToTheTeachersCleanFeature() {
    Method method = method("{'name': 'vfd-adv', 'lambda': 2}");
    assertEquals(Map.of(), method.parameters(), "the widths agree");
    Map<String, Tensor> terms = method.begin(inputs(1)).descend(adversarial).terms();
    Tensor target = pooled(teachers.get(0).network(), inputs(1).images());
    for (String name : List.of("featAdv", "featNat")) {
      Tensor x = name.equals("featAdv") ? adversarial : inputs(1).images();
      Tensor apart = pooled(student, x).sub(target);
      assertEquals(2 * apart.mul(apart).mean().item(), terms.get(name).item(), 1e-12, name);
    }
  }

  private static Tensor pooled(bridge.model.Network network, Tensor images) {
    return network.forward(images, List.of("pool")).features().get("pool");
  }

  // ---- FitNets -----------------------------------------------------------------------------

  @Test
  void thePapersFirstStageLeavesTheLastLayerAlone() {
    Method method = method("{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER'}");
    method.begin(inputs(100)).descend(adversarial).total().backward();
    assertNull(student.parameters().get("fc.weight").grad());
    assertTrue(student.parameters().get("hidden.weight").grad().abs().max().item() > 1e-6);
  }

  @Test
  void thePapersWeightOfTheTeacherFalls() {
    String json =
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 10,"
            + " 'decayEpochs': 8}";
    Method method = method(json);
    double last = method.begin(inputs(1000)).descend(adversarial).terms().get("kd").item();
    double[] alpha = {4, 4, 3.25, 2.5, 1.75, 1, 1};
    int[] epochs = {11, 15, 16, 17, 18, 19, 20};
    for (int i = 0; i < epochs.length; i++) {
      double now = method.begin(inputs(epochs[i])).descend(adversarial).terms().get("kd").item();
      assertEquals(alpha[i], now / last, 1e-12, "epoch " + epochs[i]);
    }
  }

  @Test
  void thePaperHasNoRegressorWhereShapesAgree() {
    String json = "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER'}";
    assertEquals(Map.of(), method(json).parameters());
    assertEquals(
        Set.of("regressor.weight", "regressor.bias"), method(json, 7).parameters().keySet());
    Method code = method("{'name': 'fitnets', 'featLayer': 'map'}");
    assertTrue(code.parameters().containsKey("regressor.bn.weight"));
    assertTrue(code.state().containsKey("regressor.bn.running_var"));
  }

  @ParameterizedTest
  @CsvSource({"8, 4, 3", "4, 8, 4", "8, 8, 1", "8, 6, 3", "7, 3, 5"})
  void regressorsBringMapsToTheTeachersSize(int from, int to, int kernel) {
    Generator g = Generator.on(Device.CPU, 1);
    Regressor regressor =
        new Regressor(
            new long[] {5, from, from},
            new long[] {6, to, to},
            true,
            true,
            Init.of(new Seeds(1), "heads", DType.FLOAT64, Device.CPU));
    Tensor weight = regressor.parameters().get("weight");
    assertEquals(kernel, weight.size(2));
    Tensor map = Tensor.empty(DType.FLOAT64, Device.CPU, 2, 5, from, from).normal_(0, 1, g);
    Tensor out = regressor.apply(map);
    assertArrayEquals(new long[] {2, 6, to, to}, out.sizes());
    assertEquals(0, out.min().item(), 0, "ReLU");
    double fanIn = weight.size(1) * kernel * kernel;
    double bound = 1 / Math.sqrt(fanIn);
    assertTrue(weight.abs().max().item() <= bound);
    assertTrue(weight.abs().max().item() > 0.9 * bound);
    assertEquals(0, regressor.buffers().get("bn.running_var").eq(Tensor.scalar(1)).sum().item());
  }

  // ---- CRD ---------------------------------------------------------------------------------

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

  // ---- refusals ----------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{'name': 'peer-aid'}; CLEAN; role PEER",
        "{'name': 'peer-aid'}; PEER,PEER; role PEER",
        "{'name': 'peer-aid', 'lambda4': 1}; PEER; did you mean lambda1?",
        "{'name': 'kd-swa'}; CLEAN; role ADVERSARIAL",
        "{'name': 'kd-swa'}; CLEAN,CLEAN; role ADVERSARIAL",
        "{'name': 'vfd-adv'}; CLEAN,CLEAN; one finished teacher",
        "{'name': 'vfd-adv', 'base': 'MART'}; CLEAN; PGD_AT, TRADES",
        "{'name': 'fitnets'}; CLEAN; method.featLayer is missing",
        "{'name': 'fitnets', 'featLayer': 'pool'}; CLEAN; needs a map",
        "{'name': 'crd'}; PEER; finished",
        "{'name': 'crd', 'nceMomentum': 2}; CLEAN; method.nceMomentum must be"
      })
  void whatDoesNotFitIsRefusedInOneLine(String json, String roles, String message) {
    UsageException e =
        assertThrows(
            UsageException.class,
            () -> {
              student = new ToyNetwork(1, 2, 4, 5, CLASSES, 3);
              teachers = new ArrayList<>();
              for (String role : roles.split(",")) {
                add(Teacher.Role.valueOf(role), 5, "pool");
              }
              TestMethods.of(options(json), setting());
            });
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }

  @Test
  void mapsThatCannotBeBroughtTogetherAreRefused() {
    Init init = Init.of(new Seeds(1), "heads", DType.FLOAT64, Device.CPU);
    for (boolean resizes : new boolean[] {true, false}) {
      UsageException e =
          assertThrows(
              UsageException.class,
              () ->
                  new Regressor(new long[] {5, 4, 4}, new long[] {5, 7, 7}, resizes, false, init));
      assertTrue(e.getMessage().contains("4×4"), e.getMessage());
      assertEquals(1, e.getMessage().lines().count());
    }
    assertThrows(
        UsageException.class,
        () -> new Regressor(new long[] {5, 4, 4}, new long[] {5, 8, 8}, false, false, init),
        "the paper's regressor makes no map larger");
  }

  @Test
  void oneClassHasNoNegatives() {
    UsageException e =
        assertThrows(
            UsageException.class, () -> new Negatives(new int[] {1, 1, -1}, 2, new Seeds(1)));
    assertTrue(e.getMessage().contains("two classes"), e.getMessage());
  }

  // ---- what the tests work on --------------------------------------------------------------

  private Method method(String json) {
    return method(json, 5);
  }

  /** A student of width 5 and the teachers that the method needs, of this width. */
  private Method method(String json, int width) {
    student = new ToyNetwork(1, 2, 4, 5, CLASSES, 3);
    teachers = new ArrayList<>();
    String feature = json.contains("fitnets") ? "map" : "pool";
    if (json.contains("peer-aid")) {
      add(Teacher.Role.PEER, width, feature);
    } else if (json.contains("kd-swa")) {
      add(Teacher.Role.CLEAN, width, feature);
      add(Teacher.Role.ADVERSARIAL, width, feature);
    } else if (!json.contains("'alp'")) {
      add(Teacher.Role.STANDARD, width, feature);
    }
    return TestMethods.of(options(json), setting());
  }

  private void add(Teacher.Role role, int width, String feature) {
    ToyNetwork network = new ToyNetwork(10 + teachers.size(), 2, 4, width, CLASSES, 8);
    if (role != Teacher.Role.PEER) {
      network.freeze();
    }
    teachers.add(new Teacher("toy" + teachers.size(), role, network, feature));
  }

  private Options options(String json) {
    JsonObject object = JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject();
    return new Options("method", object);
  }

  private static MethodContext threeImages() {
    return new MethodContext(
        null, List.of(), CLASSES, new long[] {2, 4, 4}, new int[3], new Seeds(1), Device.CPU);
  }

  private MethodContext setting() {
    return new MethodContext(
        student, teachers, CLASSES, new long[] {2, 4, 4}, LABELS, new Seeds(7), Device.CPU);
  }

  private static Inputs inputs(int epoch) {
    Generator g = Generator.on(Device.CPU, 3);
    Tensor images = Tensor.empty(DType.FLOAT64, Device.CPU, BATCH, 2, 4, 4).uniform_(0, 1, g);
    long[] labels = Arrays.stream(INDICES).mapToLong(i -> LABELS[i]).toArray();
    return new Inputs(images, Tensor.of(labels, BATCH), INDICES, epoch, 1, 1);
  }
}
