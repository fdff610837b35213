package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.GoldenDevice;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.torch.DType;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * MTARD's and B-MTARD's losses, weights, temperatures and gradients over consecutive steps from
 * given logits, against what the public code made of them.
 */
final class MtardSequences {
  /** Of a figure, where it is computed in float64. */
  private static final double FLOAT64 = 1e-9;

  /** Constants that say what the data are, not what is to be computed from them. */
  private static final Set<String> DESCRIBE =
      Set.of("batch", "classes", "data_seed", "note", "steps");

  /** What the scripts' constants are called here. */
  private static final Map<String, String> OPTIONS =
      Map.of(
          "weight_learn_rate", "weightLearnRate",
          "bert", "weightExponent",
          "multiplier", "multiplier",
          "temp_learn_rate", "temperatureLearnRate",
          "temp_min", "temperatureMin",
          "temp_max", "temperatureMax",
          "temp_adv", "temperatureAdv",
          "temp_nat", "temperatureNat");

  private MtardSequences() {}

  /**
   * Replays all steps of a case in a type, through the registered method: in float32 against the
   * case's tolerances, in float64 against its float64 figures, which leaves room for nothing but
   * the order of additions.
   *
   * @param json the case's constants, tolerances and float64 figures
   * @param tensors logits, float32 figures and gradients; their first dimension is the step
   */
  static void check(JsonObject json, Map<String, Tensor> tensors, DType type) {
    JsonObject constants = json.getAsJsonObject("constants");
    boolean balanced = constants.has("temp_learn_rate");
    GivenNetwork student = new GivenNetwork("student");
    GivenNetwork adversarial = new GivenNetwork("adv");
    GivenNetwork clean = new GivenNetwork("clean");
    Method method =
        TestMethods.of(
            options(constants, balanced),
            new MethodContext(
                student,
                List.of(
                    new Teacher("clean", Teacher.Role.CLEAN, clean, "f"),
                    new Teacher("adv", Teacher.Role.ADVERSARIAL, adversarial, "f")),
                constants.get("classes").getAsInt(),
                new long[] {3, 1, 1},
                new int[0],
                new Seeds(1),
                GoldenDevice.DEVICE));
    int steps = constants.get("steps").getAsInt();
    assertEquals(steps, tensors.get("student_adv").size(0));
    Tensor x = GoldenDevice.there(Tensor.of(new float[] {0}));
    Tensor moved = GoldenDevice.there(Tensor.of(new float[] {1}));
    Expected expected = Expected.of(json, tensors, type);
    for (int i = 0; i < steps; i++) {
      Tensor sAdv = said(tensors, "student_adv", i, type).copy().requiresGrad_(true);
      Tensor sNat = said(tensors, "student_clean", i, type).copy().requiresGrad_(true);
      student.says(x, sNat).says(moved, sAdv);
      adversarial.says(moved, said(tensors, "teacher_adv", i, type));
      clean.says(x, said(tensors, "teacher_nat_clean", i, type));
      Tensor labels = GoldenDevice.there(Tensor.of(new long[] {0}, 1));
      Inputs inputs = new Inputs(x, labels, new int[1], 1, i + 1L, 1);
      Loss loss = method.begin(inputs).descend(moved);
      loss.total().backward();
      expected.loss(i, loss);
      expected.gradient(i, "grad_student_adv", sAdv.grad());
      expected.gradient(i, "grad_student_clean", sNat.grad());
      Map<String, Double> told = method.epochSummary();
      expected.figure(i, "weight_adv", told.get("weightAdv"));
      expected.figure(i, "weight_nat", told.get("weightNat"));
      if (balanced) {
        expected.figure(i, "temp_adv", told.get("temperatureAdv"));
        expected.figure(i, "temp_nat", told.get("temperatureNat"));
      }
    }
  }

  private static Tensor said(Map<String, Tensor> tensors, String name, int step, DType type) {
    return GoldenDevice.there(tensors.get(name).select(0, step).to(type));
  }

  /** The options of a recipe for the constants of a script. */
  private static JsonObject options(JsonObject constants, boolean balanced) {
    JsonObject options = new JsonObject();
    options.addProperty("name", balanced ? "b-mtard" : "mtard");
    for (Map.Entry<String, JsonElement> constant : constants.entrySet()) {
      String key = constant.getKey();
      if (OPTIONS.containsKey(key)) {
        options.add(OPTIONS.get(key), constant.getValue());
      } else if (key.equals("weight")) {
        options.add("weightNat", constant.getValue().getAsJsonObject().get("nat_loss"));
      } else if (!key.startsWith("init_loss_") || !constant.getValue().isJsonNull()) {
        assertTrue(DESCRIBE.contains(key), () -> "constant " + key + " is not understood");
      }
    }
    return options;
  }

  private record Expected(
      JsonObject tolerance, JsonObject wide, Map<String, Tensor> tensors, DType type) {
    static Expected of(JsonObject json, Map<String, Tensor> tensors, DType type) {
      return new Expected(
          json.getAsJsonObject("tolerance"),
          json.getAsJsonObject("scalars_float64"),
          tensors,
          type);
    }

    private double value(int step, String name) {
      return type == DType.FLOAT64
          ? wide.getAsJsonArray(name).get(step).getAsDouble()
          : tensors.get(name).select(0, step).item();
    }

    private double tolerance(String key) {
      return tolerance.get(key).getAsDouble();
    }

    void loss(int step, Loss loss) {
      assertEquals(List.of("adv", "nat"), List.copyOf(loss.terms().keySet()));
      near(step, "total_loss", value(step, "total_loss"), loss.total());
      for (String term : List.of("adv", "nat")) {
        double weighted = value(step, "kl_" + term) * value(step, "weight_" + term);
        near(step, "kl_" + term, weighted, loss.terms().get(term));
      }
    }

    private void near(int step, String name, double expected, Tensor made) {
      double relative = type == DType.FLOAT64 ? FLOAT64 : tolerance("loss_rel");
      assertEquals(expected, made.item(), relative * Math.abs(expected), at(step, name));
    }

    void figure(int step, String name, double made) {
      String key = name.startsWith("temp") ? "temp_abs" : "weight_abs";
      double within = type == DType.FLOAT64 ? FLOAT64 : tolerance(key);
      assertEquals(value(step, name), made, within, at(step, name));
    }

    void gradient(int step, String name, Tensor made) {
      double[] theirs = tensors.get(name).select(0, step).toDoubles();
      double[] ours = made.toDoubles();
      assertEquals(theirs.length, ours.length, name);
      double largest = 0;
      for (int i = 0; i < theirs.length; i++) {
        largest = Math.max(largest, Math.abs(theirs[i] - ours[i]));
      }
      assertEquals(0, largest, tolerance("grad_abs"), at(step, name));
    }

    private String at(int step, String name) {
      return "%s of step %d in %s".formatted(name, step + 1, type);
    }
  }
}
