package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.GoldenDevice;
import bridge.loss.Divergence;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Rectification;
import bridge.method.parts.Reference;
import bridge.method.parts.Teacher;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One recorded loss with its gradients, computed by the method here in one type. */
final class GoldenLossCase {
  private static final double LOSS_FLOAT32 = 1e-5;
  private static final double LOSS_FLOAT64 = 1e-9;

  /** Of the largest element of a gradient; a float64 one is compared with one stored as float32. */
  private static final double GRADIENT_FLOAT32 = 1e-5;

  private static final double GRADIENT_FLOAT64 = 1e-6;

  /** Constants that say what the data are, not what is to be computed from them. */
  private static final Set<String> DESCRIBE =
      Set.of("batch", "classes", "data_seed", "epoch", "teachers");

  private static final Map<String, String> OPTIONS =
      Map.ofEntries(
          Map.entry("T", "temperature"),
          Map.entry("alpha", "alpha"),
          Map.entry("alpha1", "alpha1"),
          Map.entry("alpha2", "alpha2"),
          Map.entry("beta", "beta"),
          Map.entry("begin", "begin"),
          Map.entry("gamma", "gamma"),
          Map.entry("lambda", "beta"),
          Map.entry("multiplier", "multiplier"),
          Map.entry("weight_adv", "alpha"));

  /** Formulas that the method's class has written out, in the words of the cases. */
  private static final Map<String, String> FORMULAS =
      Map.of(
          "eps_1", "1.0001 - p + 1e-12",
          "eps_2", "1.0000001 - p_true",
          "kl", "mean over all B*C of (-log_softmax(s)*p_t + log(p_t+1e-5)*p_t)");

  private final String method;
  private final JsonObject card;
  private final JsonObject constants;
  private final String what;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final DType type;
  private final Tensor labels;

  /** The student's logits and features, with the gradients of the loss. */
  private final Map<String, Tensor> leaves = new LinkedHashMap<>();

  private final Loss loss;
  private final Tensor total;

  GoldenLossCase(String method, JsonObject card, Map<String, Tensor> golden, DType type) {
    this.method = method;
    this.card = card;
    this.constants = card.getAsJsonObject("constants");
    this.what = card.getAsJsonObject("source").get("what").getAsString();
    this.type = type;
    golden.forEach(
        (name, t) ->
            tensors.put(name, GoldenDevice.there(t.dtype() == DType.INT64 ? t : t.to(type))));
    for (String name : golden.keySet()) {
      if (golden.containsKey("grad_" + name)) {
        leaves.put(name, tensors.get(name).copy().requiresGrad_(true));
      }
    }
    long batch = constants.get("batch").getAsLong();
    labels =
        tensors.containsKey("labels")
            ? tensors.get("labels")
            : GoldenDevice.there(Tensor.of(new long[(int) batch], batch));
    loss = loss();
    Tensor features = features();
    Tensor sum = features == null ? loss.total() : loss.total().add(features);
    // the term of each sample, of which the case has the sum: batchmean times the batch
    total = what.contains("is_ca=True") ? sum.mul(batch) : sum;
    total.backward();
  }

  private Loss loss() {
    Tensor x = GoldenDevice.there(Tensor.of(new float[] {0}));
    Tensor moved = GoldenDevice.there(Tensor.of(new float[] {1}));
    GivenNetwork student =
        new GivenNetwork("the student")
            .says(x, leaves.get("student_clean"))
            .says(moved, leaves.get("student_adv"));
    MethodContext setting =
        new MethodContext(
            student,
            teachers(x, moved),
            constants.get("classes").getAsInt(),
            new long[] {3, 1, 1},
            new int[0],
            new Seeds(1),
            GoldenDevice.DEVICE);
    int epoch = constants.has("epoch") ? constants.get("epoch").getAsInt() + 1 : 1;
    Inputs inputs = new Inputs(x, labels, new int[0], epoch, 1, 1);
    return TestMethods.of(options(), setting).begin(inputs).descend(moved);
  }

  private List<Teacher> teachers(Tensor x, Tensor moved) {
    return tensors.keySet().stream()
        .filter(name -> name.matches("teacher\\d*_(clean|adv)"))
        .map(name -> name.replaceFirst("_.*", ""))
        .distinct()
        .sorted()
        .map(name -> teacher(name, x, moved))
        .toList();
  }

  private Teacher teacher(String name, Tensor x, Tensor moved) {
    GivenNetwork network =
        new GivenNetwork(name)
            .says(x, tensors.get(name + "_clean"))
            .says(moved, tensors.get(name + "_adv"));
    boolean robust = name.equals("teacher");
    Teacher.Role role = robust ? Teacher.Role.ADVERSARIAL : Teacher.Role.CLEAN;
    return new Teacher(name, role, network, "none");
  }

  private JsonObject options() {
    JsonObject options = new JsonObject();
    options.addProperty("name", method);
    for (Map.Entry<String, JsonElement> constant : constants.entrySet()) {
      String key = constant.getKey();
      JsonElement value = constant.getValue();
      if (OPTIONS.containsKey(key)) {
        options.add(OPTIONS.get(key), value);
      } else if (FORMULAS.containsKey(key)) {
        assertEquals(FORMULAS.get(key), value.getAsString(), key);
      } else if (key.equals("kl_reduction")) {
        options.addProperty("reduction", reduction(value.getAsString()).name());
      } else if (key.equals("weight_nat")) {
        double other = 1 - constants.get("weight_adv").getAsDouble();
        assertEquals(other, value.getAsDouble(), 1e-12, key);
      } else {
        assertTrue(DESCRIBE.contains(key), () -> "constant " + key + " is not understood");
      }
    }
    return adjusted(options);
  }

  private static Reduction reduction(String text) {
    if (text.contains("B*C")) {
      return Reduction.MEAN;
    }
    assertTrue(text.startsWith("batchmean") || text.startsWith("sum"), text);
    return Reduction.BATCHMEAN;
  }

  private JsonObject adjusted(JsonObject options) {
    String file = card.getAsJsonObject("source").get("file").getAsString();
    switch (method) {
      case "kd" -> {
        options.addProperty("alpha", 1);
        options.addProperty("gamma", 0);
      }
      case "iad" -> options.addProperty("version", file.equals("IAD-II.py") ? "II" : "I");
      case "ca-mkd" -> {
        options.addProperty("beta", 0); // its features are given past the heads
        options.addProperty("ensemble", ensemble().name());
      }
      default -> {}
    }
    return options;
  }

  private CaMkd.Ensemble ensemble() {
    String name = what.replaceFirst(".*ensemble_method (\\w+).*", "$1");
    return switch (name) {
      case "CAMKD", "EBKD" -> CaMkd.Ensemble.valueOf(name);
      case "AVERAGE_LOSS" -> CaMkd.Ensemble.AVERAGE;
      default -> throw new AssertionError("no ensemble here is " + what);
    };
  }

  private List<Tensor> numbered(Map<String, Tensor> from, String name) {
    List<Tensor> all = new ArrayList<>();
    for (int k = 0; from.containsKey(name.formatted(k)); k++) {
      all.add(from.get(name.formatted(k)));
    }
    return all;
  }

  /** β times CA-MKD's feature term, where the case has one. */
  private Tensor features() {
    List<Tensor> projected = numbered(leaves, "feat_student%d");
    double beta = method.equals("ca-mkd") ? constants.get("beta").getAsDouble() : 0;
    if (projected.isEmpty()) {
      assertEquals(0, beta, "weight of features that the case does not have");
      return null;
    }
    Tensor term =
        CaMkd.featureTerm(
            Reference.CODE,
            projected,
            numbered(tensors, "feat_teacher%d"),
            numbered(leaves, "trans_logits%d"),
            labels);
    near("loss_inter", beta, term.detach().mul(beta));
    return term.mul(beta);
  }

  private double tolerance(String key) {
    return card.getAsJsonObject("tolerance").get(key).getAsDouble();
  }

  void checkLoss() {
    double expected = card.get("loss_float64").getAsDouble();
    double within =
        type == DType.FLOAT64
            ? LOSS_FLOAT64 * Math.abs(expected)
            : Math.max(LOSS_FLOAT32 * Math.abs(expected), tolerance("loss_abs"));
    assertEquals(expected, total.item(), within, "loss in " + type);
  }

  void checkGradients() {
    assertFalse(leaves.isEmpty());
    leaves.forEach(
        (name, leaf) -> {
          double[] expected = tensors.get("grad_" + name).toDoubles();
          double[] made =
              leaf.grad() == null ? new double[expected.length] : leaf.grad().toDoubles();
          assertArrayEquals(expected, made, gradientTolerance(expected), "gradient of " + name);
        });
  }

  private double gradientTolerance(double[] expected) {
    double largest = 0;
    for (double e : expected) {
      largest = Math.max(largest, Math.abs(e));
    }
    if (type == DType.FLOAT32) {
      return Math.max(GRADIENT_FLOAT32 * largest, tolerance("grad_abs"));
    }
    JsonObject measured = card.getAsJsonObject("measured");
    return 2 * measured.get("max_abs_diff_grad_f32_vs_f64").getAsDouble()
        + GRADIENT_FLOAT64 * largest;
  }

  /** A scalar of the case, times a factor, within the tolerance of the loss. */
  private void near(String name, double factor, Tensor made) {
    assertEquals(
        factor * tensors.get(name).item(),
        made.item(),
        Math.max(LOSS_FLOAT32 * Math.abs(made.item()), tolerance("loss_abs")),
        name);
  }

  /** What else the case tells of the way to the loss. */
  void checkParts() {
    try (NoGrad _ = NoGrad.enter()) {
      if (tensors.containsKey("kl_adv")) {
        double alpha = constants.get("weight_adv").getAsDouble();
        near("kl_adv", alpha, loss.terms().get("adv"));
        near("kl_nat", 1 - alpha, loss.terms().get("nat"));
      }
      if (tensors.containsKey("weights")) {
        List<Tensor> teachers = numbered(tensors, "teacher%d_clean");
        same("weights", CaMkd.weights(ensemble(), teachers, labels).transpose(0, 1));
      }
      if (tensors.containsKey("weights_inter")) {
        List<Tensor> answers = numbered(tensors, "trans_logits%d");
        same("weights_inter", CaMkd.weights(ensemble(), answers, labels).transpose(0, 1));
      }
      if (tensors.containsKey("rectified_teacher")) {
        Rectification swap = new Rectification(Rectification.Rule.SWAP, 1, 0, 1);
        same("rectified_teacher", swap.apply(tensors.get("teacher_clean"), labels));
      }
      if (tensors.containsKey("per_sample")) {
        double temperature = constants.get("T").getAsDouble();
        Tensor teacher = tensors.get("teacher_clean");
        Tensor student = tensors.get("student_clean");
        same(
            "per_sample",
            Divergence.softened(teacher, student, temperature),
            roundOff(temperature));
      }
    }
  }

  /**
   * What float32 makes of a softened divergence: T² times a difference of logarithms, each as large
   * as that of the number of classes.
   */
  private double roundOff(double temperature) {
    int classes = constants.get("classes").getAsInt();
    return 1e-7 * temperature * temperature * (1 + Math.log(classes));
  }

  private void same(String name, Tensor made) {
    same(name, made, 0);
  }

  private void same(String name, Tensor made, double roundOff) {
    double[] expected = tensors.get(name).toDoubles();
    double[] ours = made.contiguous().toDoubles();
    assertEquals(expected.length, ours.length, name);
    for (int i = 0; i < expected.length; i++) {
      double within = Math.max(roundOff, LOSS_FLOAT32 * Math.max(1, Math.abs(expected[i])));
      assertEquals(expected[i], ours[i], within, name + " " + i);
    }
  }
}
