package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import bridge.UsageException;
import bridge.loss.Losses;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Teacher;
import bridge.method.parts.Teacher.Role;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * MTARD's and B-MTARD's weights, temperatures, teachers and refusals. {@code GoldenLossesTest} has
 * their numbers, {@code DistillationLossesTest} their gradients.
 */
class MtardTest extends ScopedTest {
  /** Clean images and the attack's, which stand for what the networks say of them. */
  private Tensor x;

  private Tensor moved;
  private final GivenNetwork student = new GivenNetwork("student");
  private final GivenNetwork robust = new GivenNetwork("robust");
  private final GivenNetwork accurate = new GivenNetwork("accurate");

  @BeforeEach
  void answer() {
    x = Tensor.of(new float[] {0});
    moved = Tensor.of(new float[] {1});
    student.says(x, logits(0.3, 0.2, -0.4)).says(moved, logits(0.1, 0.5, -0.2));
    robust.says(moved, logits(1, 0.5, 0));
    accurate.says(x, logits(4, 1, -1));
  }

  /** One image's. */
  private static Tensor logits(double... values) {
    return Tensor.of(values, 1, values.length);
  }

  private Teacher teacher(Role role) {
    return switch (role) {
      case ADVERSARIAL -> new Teacher("robust", role, robust, "none");
      default -> new Teacher("accurate", role, accurate, "none");
    };
  }

  private Method method(String json, Role... roles) {
    List<Teacher> teachers = new ArrayList<>();
    for (Role role : roles) {
      teachers.add(teacher(role));
    }
    JsonObject options = JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject();
    return TestMethods.of(
        options,
        new MethodContext(
            student, teachers, 3, new long[] {1, 1, 1}, new int[0], new Seeds(1), Device.CPU));
  }

  private Method method(String json) {
    return method(json, Role.ADVERSARIAL, Role.CLEAN);
  }

  private Inputs inputs(double rate) {
    return new Inputs(x, Tensor.of(new long[] {0}, 1), new int[1], 1, 1, rate);
  }

  private Loss step(Method method) {
    return method.begin(inputs(1)).descend(moved);
  }

  // ---- teachers ------------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(strings = {"mtard", "b-mtard"})
  void teachersAreToldApartByTheirRolesInAnyOrder(String name) {
    String json = "{'name':'%s'}".formatted(name);
    double one = step(method(json, Role.ADVERSARIAL, Role.CLEAN)).total().item();
    double other = step(method(json, Role.CLEAN, Role.ADVERSARIAL)).total().item();
    assertEquals(one, other, 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"mtard", "b-mtard"})
  void otherTeachersAreRefusedInOneLine(String name) {
    String json = "{'name':'%s'}".formatted(name);
    for (Role[] roles :
        new Role[][] {
          {},
          {Role.ADVERSARIAL},
          {Role.CLEAN, Role.CLEAN},
          {Role.ADVERSARIAL, Role.STANDARD},
          {Role.ADVERSARIAL, Role.PEER},
          {Role.ADVERSARIAL, Role.CLEAN, Role.CLEAN}
        }) {
      var e = assertThrows(UsageException.class, () -> method(json, roles));
      assertTrue(e.getMessage().startsWith("method " + name + " takes two"), e.getMessage());
      assertEquals(1, e.getMessage().lines().count());
    }
    var none = assertThrows(UsageException.class, () -> method(json, new Role[0]));
    assertTrue(none.getMessage().contains("found none;"), none.getMessage());
    var alike = assertThrows(UsageException.class, () -> method(json, Role.CLEAN, Role.CLEAN));
    assertTrue(alike.getMessage().contains("(CLEAN, CLEAN)"), alike.getMessage());
  }

  @Test
  void wrongOptionsAreRefusedByName() {
    for (String json :
        List.of(
            "{'name':'mtard','temperatureMax':3}",
            "{'name':'mtard','weightLearnRate':1.5}",
            "{'name':'mtard','weightNat':-0.1}",
            "{'name':'b-mtard','temperatureMin':5,'temperatureMax':3}",
            "{'name':'b-mtard','temperatureAdv':0.5}")) {
      var e = assertThrows(UsageException.class, () -> method(json), json);
      assertTrue(e.getMessage().contains("method."), e.getMessage());
      assertEquals(1, e.getMessage().lines().count());
    }
  }

  // ---- losses and weights --------------------------------------------------------------------

  @Test
  void theFirstStepHasTheWeightsItBeganWith() {
    Method method = method("{'name':'mtard','reference':'PAPER','multiplier':3,'weightNat':0.5}");
    Loss loss = step(method);
    double adv = Losses.kl(logits(1, 0.5, 0).softmax(1), logits(0.1, 0.5, -0.2)).item();
    double nat = Losses.kl(logits(4, 1, -1).softmax(1), logits(0.3, 0.2, -0.4)).item();
    assertEquals(3 * 0.5 * adv / 3, loss.terms().get("adv").item(), 1e-12);
    assertEquals(3 * 0.5 * nat / 3, loss.terms().get("nat").item(), 1e-12);
    assertEquals(Map.of("weightAdv", 0.5, "weightNat", 0.5), method.epochSummary());
  }

  @Test
  void theCodesLossIsLargerThanThePapersAndHasItsGradient() {
    double[] values = new double[2];
    double[][] gradients = new double[2][];
    for (Reference reference : Reference.values()) {
      Tensor own = logits(0.1, 0.5, -0.2).requiresGrad_(true);
      student.says(moved, own);
      Loss loss = step(method("{'name':'mtard','reference':'%s'}".formatted(reference)));
      loss.total().backward();
      values[reference.ordinal()] = loss.total().item();
      gradients[reference.ordinal()] = own.grad().toDoubles();
    }
    double more = values[Reference.CODE.ordinal()] - values[Reference.PAPER.ordinal()];
    assertEquals(1e-5, more, 1e-8, "0.5 · 3 · 1e-5 / 3 of each teacher");
    assertArrayEquals(gradients[0], gradients[1], 1e-15);
  }

  /** The recursion in plain numbers: the term that has fallen less gets more. */
  @Test
  void weightsFollowHowFarEachTermHasFallen() {
    Method method =
        method("{'name':'mtard','weightLearnRate':0.2,'weightExponent':2,'weightNat':0.3}");
    double nat = 0.3;
    Loss before = step(method);
    double firstAdv = before.terms().get("adv").item() / (1 - 0.2 * 0.5 - 0.8 * 0.3);
    double firstNat = before.terms().get("nat").item() / (0.2 * 0.5 + 0.8 * 0.3);
    nat += 0.2 * (0.5 - nat);
    student.says(moved, logits(0.9, 0.5, 0)); // nearly what its teacher says
    for (double rate : new double[] {1, 0.1, 0}) {
      Loss loss = method.begin(inputs(rate)).descend(moved);
      Map<String, Double> told = method.epochSummary();
      double adv = loss.terms().get("adv").item() / told.get("weightAdv") / firstAdv;
      double clean = loss.terms().get("nat").item() / told.get("weightNat") / firstNat;
      nat += 0.2 * rate * (clean * clean / (clean * clean + adv * adv) - nat);
      assertEquals(nat, told.get("weightNat"), 1e-12);
      assertEquals(1 - nat, told.get("weightAdv"), 1e-12);
    }
    assertTrue(nat > 0.45, "the adversarial term has fallen, the clean one has not");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{'name':'mtard'", "{'name':'b-mtard','temperatureLearnRate':0"})
  void weightsStayADistribution(String begun) {
    Method method = method(begun + ",'weightLearnRate':1}");
    step(method);
    student.says(x, logits(4, 1, -1)); // what its teacher says, so that L_nat is next to nothing
    for (int i = 0; i < 1000; i++) {
      try (Scope _ = Scope.open("step")) {
        step(method);
      }
    }
    Map<String, Double> told = method.epochSummary();
    assertEquals(1, told.get("weightAdv") + told.get("weightNat"), 1e-12);
    assertTrue(told.get("weightNat") >= 0 && told.get("weightNat") < 1e-3, told.toString());
  }

  @Test
  void aLossOfNothingLeavesTheWeightsNumbers() {
    robust.says(moved, logits(0.1, 0.5, -0.2));
    accurate.says(x, logits(0.3, 0.2, -0.4));
    Method method = method("{'name':'mtard','reference':'PAPER'}");
    step(method);
    assertEquals(0, step(method).total().item(), 1e-15);
    assertTrue(method.epochSummary().values().stream().allMatch(Double::isFinite));
  }

  @Test
  void weightsAreConstantsAndWholeInFloat32() {
    student.says(x, logits(0.3, 0.2, -0.4).to(DType.FLOAT32).requiresGrad_(true));
    student.says(moved, logits(0.1, 0.5, -0.2).to(DType.FLOAT32).requiresGrad_(true));
    robust.says(moved, logits(1, 0.5, 0).to(DType.FLOAT32));
    accurate.says(x, logits(4, 1, -1).to(DType.FLOAT32));
    Method method = method("{'name':'b-mtard'}");
    Loss loss = step(method);
    assertEquals(DType.FLOAT32, loss.total().dtype());
    for (Map.Entry<String, Tensor> e : method.state().entrySet()) {
      assertEquals(DType.FLOAT64, e.getValue().dtype(), e.getKey());
      assertFalse(e.getValue().requiresGrad(), e.getKey());
    }
  }

  // ---- temperatures --------------------------------------------------------------------------

  /** The accurate teacher is the surer one, so it is softened, until both are alike. */
  @Test
  void theTeacherWithLessEntropyIsSoftened() {
    Method method = method("{'name':'b-mtard','temperatureLearnRate':0.1}");
    double first = step(method).terms().get("nat").item();
    Map<String, Double> told = method.epochSummary();
    assertEquals(1.1, told.get("temperatureNat"), 1e-12);
    assertEquals(1, told.get("temperatureAdv"), 0, "the lowest allowed");
    Method fresh = method("{'name':'mtard'}");
    assertEquals(first, step(fresh).terms().get("nat").item(), 1e-15, "moved after its use");
    method.begin(inputs(0.5)).descend(moved);
    assertEquals(1.15, method.epochSummary().get("temperatureNat"), 1e-12);
    for (int i = 0; i < 200; i++) {
      try (Scope _ = Scope.open("step")) {
        step(method);
      }
    }
    double reached = method.epochSummary().get("temperatureNat");
    double there = entropy(logits(4, 1, -1).div(reached));
    assertEquals(entropy(logits(1, 0.5, 0)), there, 0.02, "at temperature " + reached);
  }

  private static double entropy(Tensor logits) {
    return -logits.softmax(1).mul(logits.logSoftmax(1)).sum().item();
  }

  @Test
  void temperaturesStayInTheirBounds() {
    Method method =
        method(
            "{'name':'b-mtard','temperatureLearnRate':2,'temperatureMin':0.5,'temperatureMax':1.5}");
    step(method);
    assertEquals(1.5, method.epochSummary().get("temperatureNat"), 0);
    assertEquals(0.5, method.epochSummary().get("temperatureAdv"), 0);
  }

  @Test
  void stateHoldsAllThatASecondRunNeeds() {
    String json = "{'name':'b-mtard','temperatureLearnRate':0.1,'weightLearnRate':0.3}";
    Method one = method(json);
    Method other = method(json);
    step(one);
    student.says(moved, logits(0.9, 0.5, 0));
    other.state().forEach((name, tensor) -> tensor.copy_(one.state().get(name)));
    assertEquals(step(one).total().item(), step(other).total().item(), 0);
    assertEquals(one.epochSummary(), other.epochSummary());
  }
}
