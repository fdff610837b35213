package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.Options;
import bridge.torch.Device;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * MTARD's and B-MTARD's losses, weights, temperatures and gradients over consecutive steps from
 * given logits, against what the public code made of them.
 */
final class MtardSequences {
  private MtardSequences() {}

  /**
   * Replays all steps of a case in float32, through the registered method.
   *
   * @param json the case's constants and tolerances
   * @param tensors logits, losses, weights and gradients; their first dimension is the step
   */
  static void check(JsonObject json, Map<String, Tensor> tensors) {
    JsonObject constants = json.getAsJsonObject("constants");
    boolean balanced = constants.has("temp_learn_rate");
    GivenNetwork student = new GivenNetwork("student");
    GivenNetwork adversarial = new GivenNetwork("adv");
    GivenNetwork clean = new GivenNetwork("clean");
    Method method =
        Methods.create(
            new Options("method", options(constants, balanced)),
            new Setting(
                student,
                List.of(
                    new Setting.Teacher("clean", Setting.Role.CLEAN, clean, "f"),
                    new Setting.Teacher("adv", Setting.Role.ADVERSARIAL, adversarial, "f")),
                constants.get("classes").getAsInt(),
                new long[] {3, 1, 1},
                new int[0],
                new Seeds(1),
                Device.CPU));
    int steps = constants.get("steps").getAsInt();
    assertEquals(steps, tensors.get("student_adv").size(0));
    Tensor x = Tensor.scalar(0);
    Tensor moved = Tensor.scalar(1);
    Expected expected = new Expected(json.getAsJsonObject("tolerance"), tensors);
    for (int i = 0; i < steps; i++) {
      Tensor sAdv = tensors.get("student_adv").select(0, i).copy().requiresGrad_(true);
      Tensor sNat = tensors.get("student_clean").select(0, i).copy().requiresGrad_(true);
      student.says(x, sNat).says(moved, sAdv);
      adversarial.says(moved, tensors.get("teacher_adv").select(0, i));
      clean.says(x, tensors.get("teacher_nat_clean").select(0, i));
      Tensor labels = Tensor.of(new long[] {0}, 1);
      Inputs inputs = new Inputs(x, labels, new int[1], 1, i + 1L, 1);
      Loss loss = method.outer(inputs, moved);
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

  /** The options of a recipe for the constants of a script. */
  static JsonObject options(JsonObject constants, boolean balanced) {
    JsonObject options = new JsonObject();
    options.addProperty("name", balanced ? "b-mtard" : "mtard");
    Map<String, String> keys = new LinkedHashMap<>();
    keys.put("weight_learn_rate", "weightLearnRate");
    keys.put("bert", "weightExponent");
    keys.put("multiplier", "multiplier");
    keys.put("temp_learn_rate", "temperatureLearnRate");
    keys.put("temp_min", "temperatureMin");
    keys.put("temp_max", "temperatureMax");
    keys.put("temp_adv", "temperatureAdv");
    keys.put("temp_nat", "temperatureNat");
    keys.forEach(
        (theirs, ours) -> {
          if (constants.has(theirs)) {
            options.add(ours, constants.get(theirs));
          }
        });
    for (String key : List.of("weight", "initial_weight")) {
      if (constants.has(key)) {
        options.add("weightNat", constants.getAsJsonObject(key).get("nat_loss"));
      }
    }
    return options;
  }

  private record Expected(JsonObject tolerance, Map<String, Tensor> tensors) {
    private double value(int step, String name) {
      return tensors.get(name).select(0, step).item();
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
      double within = tolerance("loss_rel") * Math.abs(expected);
      assertEquals(expected, made.item(), within, name + " of step " + (step + 1));
    }

    void figure(int step, String name, double made) {
      double within = tolerance(name.startsWith("temp") ? "temp_abs" : "weight_abs");
      assertEquals(value(step, name), made, within, name + " of step " + (step + 1));
    }

    void gradient(int step, String name, Tensor made) {
      double[] theirs = tensors.get(name).select(0, step).toDoubles();
      double[] ours = made.toDoubles();
      assertEquals(theirs.length, ours.length, name);
      double largest = 0;
      for (int i = 0; i < theirs.length; i++) {
        largest = Math.max(largest, Math.abs(theirs[i] - ours[i]));
      }
      assertEquals(0, largest, tolerance("grad_abs"), name + " of step " + (step + 1));
    }
  }
}
