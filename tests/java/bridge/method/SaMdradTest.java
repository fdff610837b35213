package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.method.parts.FeatureAlignment;
import bridge.method.parts.FusedTarget;
import bridge.method.parts.Head;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.Rectification;
import bridge.method.parts.Teacher;
import bridge.method.parts.TeacherWeights;
import bridge.torch.DType;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The whole method on toy networks in float64: gradients, switches, what is told and saved. */
class SaMdradTest extends ToyTest {
  private static final double TOLERANCE = 1e-6;

  static Stream<String> variants() {
    List<String> all = new ArrayList<>(List.of("{}"));
    for (var rule : Rectification.Rule.values()) {
      all.add("{\"rectify\":\"%s\"}".formatted(rule));
      all.add("{\"rectify\":\"%s\",\"rectifyStrength\":0.4,\"temperature\":3}".formatted(rule));
    }
    for (var branches : SaMdradSettings.Branches.values()) {
      all.add("{\"rectifyBranches\":\"%s\"}".formatted(branches));
    }
    for (var weights : TeacherWeights.Rule.values()) {
      for (var from : TeacherWeights.From.values()) {
        all.add("{\"fusionWeights\":\"%s\",\"weightsFrom\":\"%s\"}".formatted(weights, from));
      }
    }
    for (var space : FusedTarget.Space.values()) {
      all.add("{\"fusionSpace\":\"%s\",\"temperature\":2}".formatted(space));
    }
    all.add("{\"fusionSpace\":\"LOGIT\",\"standardiseLogits\":false}");
    for (var input : SaMdradSettings.TeacherInput.values()) {
      all.add("{\"teacherInput\":\"%s\"}".formatted(input));
    }
    for (var target : SaMdradSettings.FeatTarget.values()) {
      all.add("{\"featTarget\":\"%s\",\"teacherInput\":\"CLEAN\"}".formatted(target));
    }
    for (var distance : FeatureAlignment.Distance.values()) {
      for (var head : Head.Kind.values()) {
        String layer = head == Head.Kind.CONV_BN ? "map" : "penultimate";
        all.add(
            "{\"featDistance\":\"%s\",\"featHead\":\"%s\",\"featLayer\":\"%s\"}"
                .formatted(distance, head, layer));
      }
    }
    for (var inner : SaMdradSettings.InnerLoss.values()) {
      all.add("{\"innerLoss\":\"%s\",\"temperature\":2}".formatted(inner));
    }
    all.add("{\"temperature\":4,\"teacherOnlyT\":true}");
    all.add("{\"lambdaAdv\":1,\"lambdaNat\":0,\"lambdaCe\":0,\"betaF\":0}");
    all.add("{\"balance\":\"MTARD\",\"weightLearnRate\":0,\"temperature\":2}");
    all.add("{\"lambdaCe\":0.3,\"betaF\":10,\"muAdv\":0.9,\"muNat\":0.1}");
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("variants")
  void gradientsOfTheOuterLossAreThoseOfFiniteDifferences(String json) {
    SaMdrad method = method(json, 3);
    Inputs inputs = inputs(2);
    Tensor adversarial = moved(inputs.images());
    method.begin(inputs).descend(adversarial).total().backward();
    Map<String, Tensor> all = new LinkedHashMap<>(student.parameters());
    all.putAll(method.parameters());
    all.forEach(
        (name, p) ->
            FiniteDifferences.compare(
                name,
                p,
                p.grad(),
                TOLERANCE,
                () -> method.begin(inputs).descend(adversarial).total().item()));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void gradientsOfTheInnerObjectiveAreThoseOfFiniteDifferences(String json) {
    Inputs inputs = inputs(2);
    // detached weights do not move with x in the gradient, but would in the differences
    boolean weighted = json.contains("KL_TEACHERS");
    SaMdrad method =
        method(weighted ? json.replace("}", ",\"fusionWeights\":\"UNIFORM\"}") : json, 3);
    Tensor x = moved(inputs.images()).requiresGrad_(true);
    var objective = method.begin(inputs).objective().orElseThrow();
    FiniteDifferences.compare(objective, x, TOLERANCE);
  }

  @Test
  void teachersGetNoGradientAndTargetsPassNone() {
    SaMdrad method = method("{\"featTarget\":\"ADV_IF_CORRECT\"}", 3);
    for (Teacher teacher : teachers) {
      teacher.network().parameters().values().forEach(p -> p.requiresGrad_(true));
    }
    Inputs inputs = inputs(2);
    method.begin(inputs).descend(moved(inputs.images())).total().backward();
    for (Teacher teacher : teachers) {
      teacher.network().parameters().forEach((name, p) -> assertTrue(p.grad() == null, name));
    }
  }

  @Test
  void lossFusionHasTheGradientOfProbFusionButAnotherValue() {
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    List<double[]> gradients = new ArrayList<>();
    List<Double> values = new ArrayList<>();
    for (String space : List.of("PROB", "LOSS")) {
      SaMdrad method = method("{\"fusionSpace\":\"%s\",\"temperature\":2}".formatted(space), 3);
      Loss loss = method.begin(inputs).descend(adversarial);
      loss.total().backward();
      gradients.add(student.parameters().get("fc.weight").grad().toDoubles());
      values.add(loss.total().item());
    }
    for (int i = 0; i < gradients.get(0).length; i++) {
      assertEquals(gradients.get(0)[i], gradients.get(1)[i], 1e-12);
    }
    assertTrue(values.get(1) > values.get(0) + 1e-6, values.toString());
  }

  @Test
  void termsSumToTheTotalAndHaveNames() {
    Inputs inputs = inputs(2);
    Loss loss = method("{}", 3).begin(inputs).descend(moved(inputs.images()));
    assertEquals(
        List.of("adv", "nat", "ce", "featAdv", "featNat"), List.copyOf(loss.terms().keySet()));
    double sum = loss.terms().values().stream().mapToDouble(Tensor::item).sum();
    assertEquals(sum, loss.total().item(), 1e-12);
  }

  @Test
  void featuresBeginAtTheirEpoch() {
    SaMdrad method = method("{\"featStartEpoch\":3}", 2);
    Inputs before = inputs(2);
    assertFalse(method.begin(before).descend(before.images()).terms().containsKey("featAdv"));
    Inputs after = inputs(3);
    assertTrue(method.begin(after).descend(after.images()).terms().containsKey("featAdv"));
  }

  @Test
  void toldFiguresAreThoseOfTheTeachers() {
    SaMdrad method = method("{}", 2);
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    method.begin(inputs).descend(adversarial);
    Map<String, Double> told = method.epochSummary();
    double weights = 0;
    for (Teacher teacher : teachers) {
      Tensor right = teacher.network().logits(adversarial).argmax(1).eq(inputs.labels());
      double accuracy = right.to(DType.FLOAT64).mean().item();
      assertEquals(accuracy, told.get(teacher.name() + ".accuracyAdv"), 1e-12);
      assertEquals(1 - accuracy, told.get(teacher.name() + ".rectified"), 1e-12);
      weights += told.get(teacher.name() + ".weight");
    }
    assertEquals(1, weights, 1e-12);
    assertEquals(0, method.epochSummary().get("toy0.weight"), "starts anew");
  }

  @Test
  void nothingCountsAsRectifiedWhereNothingIs() {
    SaMdrad method = method("{\"rectify\":\"NONE\"}", 2);
    method.begin(inputs(1)).descend(inputs(1).images());
    assertEquals(0, method.epochSummary().get("toy0.rectified"));
  }

  @Test
  void whatTheInnerLossAskedServesItsOwnBatchOnly() {
    SaMdrad method = method("{\"innerLoss\":\"KL_FUSED\"}", 2);
    Inputs first = inputs(2);
    Tensor adversarial = moved(first.images());
    double alone = method.begin(first).descend(adversarial).total().item();
    method.begin(first);
    assertEquals(alone, method.begin(first).descend(adversarial).total().item(), 0);
    Inputs other = new Inputs(first.images().mul(0.5), first.labels(), first.indices(), 2, 2, 1);
    double fresh =
        method("{\"innerLoss\":\"KL_FUSED\"}", 2).begin(other).descend(adversarial).total().item();
    assertEquals(fresh, method.begin(other).descend(adversarial).total().item(), 1e-12);
  }

  @Test
  void oneTeacherHasAllTheWeight() {
    for (var weights : TeacherWeights.Rule.values()) {
      SaMdrad method = method("{\"fusionWeights\":\"%s\"}".formatted(weights), 1);
      method.begin(inputs(1)).descend(inputs(1).images());
      assertEquals(1, method.epochSummary().get("toy0.weight"), 1e-12, weights.name());
    }
  }

  @Test
  void balancedTermsShareTheWeightOfBoth() {
    String more = "\"lambdaAdv\":1.5,\"lambdaNat\":0.5,\"temperature\":2";
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    Map<String, Tensor> plain =
        method("{%s}".formatted(more), 2).begin(inputs).descend(adversarial).terms();
    SaMdrad method =
        method("{\"balance\":\"MTARD\",\"weightLearnRate\":0.4,%s}".formatted(more), 2);
    Map<String, Tensor> balanced = method.begin(inputs).descend(adversarial).terms();
    double share = 0.75 + 0.4 * (0.5 - 0.75); // at the first step neither has fallen
    Map<String, Double> told = method.epochSummary();
    assertEquals(share, told.get("shareAdv"), 1e-12);
    assertEquals(1 - share, told.get("shareNat"), 1e-12);
    assertEquals(plain.get("adv").item() / 1.5 * 2 * share, balanced.get("adv").item(), 1e-12);
    assertEquals(
        plain.get("nat").item() / 0.5 * 2 * (1 - share), balanced.get("nat").item(), 1e-12);
    assertEquals(plain.get("ce").item(), balanced.get("ce").item(), 0);
    assertTrue(method.state().containsKey("balance.weights"));
    assertFalse(method("{}", 2).state().containsKey("balance.weights"));
  }

  @Test
  void nothingToShareIsRefused() {
    String json = "{\"balance\":\"MTARD\",\"lambdaAdv\":0,\"lambdaNat\":0}";
    UsageException e = assertThrows(UsageException.class, () -> method(json, 2));
    assertTrue(e.getMessage().contains("method.lambdaAdv"), e.getMessage());
    assertThrows(UsageException.class, () -> method("{\"weightLearnRate\":0.1}", 2), "unbalanced");
  }

  @Test
  void headsBelongToWhatIsTrainedAndSaved() {
    SaMdrad method = method("{\"featHead\":\"LINEAR_BN\"}", 2);
    assertEquals(8, method.parameters().size());
    assertTrue(method.state().containsKey("heads.1.bn.running_mean"));
    assertTrue(method.state().containsKey("counts"));
    assertTrue(method("{\"betaF\":0}", 2).parameters().isEmpty());
  }

  @Test
  void differentInputsForTheTeachersGiveDifferentLosses() {
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    double adv =
        method("{\"teacherInput\":\"ADV\"}", 2).begin(inputs).descend(adversarial).total().item();
    double clean =
        method("{\"teacherInput\":\"CLEAN\"}", 2).begin(inputs).descend(adversarial).total().item();
    assertNotEquals(adv, clean, 1e-9);
  }

  @Test
  void wrongOptionsAreRefusedByName() {
    UsageException unknown =
        assertThrows(UsageException.class, () -> method("{\"rectifi\":\"SWAP\"}", 2));
    assertTrue(unknown.getMessage().contains("did you mean rectify?"), unknown.getMessage());
    UsageException wrong =
        assertThrows(UsageException.class, () -> method("{\"rectify\":\"SWOP\"}", 2));
    assertTrue(wrong.getMessage().contains("SWAP"), wrong.getMessage());
    assertThrows(UsageException.class, () -> method("{\"rectifyStrength\":2}", 2));
    assertThrows(UsageException.class, () -> method("{}", 0));
    assertThrows(
        UsageException.class, () -> method("{\"featHead\":\"CONV_BN\"}", 2), "pooled feature");
  }

  private SaMdrad method(String json, int count) {
    student = new ToyNetwork(1, 2, 4, 5, CLASSES, 3);
    teachers = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      ToyNetwork teacher = new ToyNetwork(10 + k, 2, 4, 6 + k, CLASSES, 8);
      teacher.freeze();
      String feature = json.contains("\"map\"") ? "map" : "pool";
      teachers.add(new Teacher("toy" + k, Teacher.Role.STANDARD, teacher, feature));
    }
    JsonObject options = JsonParser.parseString(json).getAsJsonObject();
    options.addProperty("name", "sa-mdrad");
    return (SaMdrad) TestMethods.of(options, setting(student, teachers));
  }
}
