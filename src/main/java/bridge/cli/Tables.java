package bridge.cli;

import bridge.evaluate.Certification;
import bridge.evaluate.Evaluation.Result;
import bridge.train.EvaluatedStudent;
import bridge.train.Recipe;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** Results of evaluations as text and as JSON. */
final class Tables {
  private Tables() {}

  /** A table for people; accuracies in percent. AutoAttack's components stand before it. */
  static String text(String title, List<Result> results) {
    List<Result> rows = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (Result result : results) {
      for (Result component : result.components()) {
        rows.add(component);
        names.add("+ " + component.attack());
      }
      rows.add(result);
      names.add(result.attack());
    }
    int width = Math.max(14, names.stream().mapToInt(String::length).max().orElse(0));
    StringBuilder text = new StringBuilder(title);
    text.append(
        line(
            "%n  %-" + width + "s %7s %8s %8s %8s %9s %9s %8s",
            "attack",
            "images",
            "accuracy",
            "worst",
            "W-robust",
            "mean",
            "max",
            "seconds"));
    for (int i = 0; i < rows.size(); i++) {
      Result r = rows.get(i);
      text.append(
          line(
              "%n  %-" + width + "s %7d %8s %8s %8s %9.4f %9.4f %8.1f",
              names.get(i),
              r.images(),
              percent(r.accuracy()),
              percent(r.worstAccuracy()),
              r.isClean() ? "-" : percent(r.weightedAccuracy()),
              r.meanPerturbation(),
              r.maxPerturbation(),
              r.seconds()));
    }
    return text.toString();
  }

  private static String line(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  private static String percent(double share) {
    return line("%.2f%%", 100 * share);
  }

  /** Each class's accuracy under each attack. */
  static String perClass(List<Result> results, List<String> classes) {
    int width = Math.max(14, classes.stream().mapToInt(String::length).max().orElse(0));
    StringBuilder text = new StringBuilder("per class");
    text.append(line("%n  %-" + width + "s %7s", "class", "images"));
    results.forEach(r -> text.append(line(" %" + column(r) + "s", r.attack())));
    for (int k = 0; k < classes.size(); k++) {
      int[] counts = counts(results.getFirst(), k);
      text.append(line("%n  %-" + width + "s %7d", classes.get(k), counts[0]));
      for (Result r : results) {
        String share = counts[0] == 0 ? "-" : percent((double) counts(r, k)[1] / counts[0]);
        text.append(line(" %" + column(r) + "s", share));
      }
    }
    return text.toString();
  }

  private static int column(Result result) {
    return Math.max(8, result.attack().length());
  }

  /** Images of a class, and those right under the attack. */
  private static int[] counts(Result result, int label) {
    List<Integer> labels = result.labels();
    List<Integer> said = result.predictions();
    int[] of = IntStream.range(0, labels.size()).filter(i -> labels.get(i) == label).toArray();
    int right = (int) IntStream.of(of).filter(i -> said.get(i) == label).count();
    return new int[] {of.length, right};
  }

  /** Certified accuracy at radii half a deviation apart, as far as there are any. */
  static String text(Certification.Result result) {
    StringBuilder text =
        new StringBuilder(
            line(
                "smoothing, σ %s, %d draws, α %s: %d images, %d abstained, mean radius %.4f, %.1f"
                    + " s",
                result.smoothing().sigma(),
                result.smoothing().estimation(),
                result.smoothing().alpha(),
                result.images().size(),
                result.abstained(),
                result.meanRadius(),
                result.seconds()));
    text.append(line("%n  %-14s %8s", "L2 radius", "certified"));
    for (double radius : radii(result)) {
      text.append(line("%n  %-14.4f %9s", radius, percent(result.accuracy(radius))));
    }
    return text.toString();
  }

  private static List<Double> radii(Certification.Result result) {
    List<Double> radii = new ArrayList<>(List.of(0.0));
    double step = result.smoothing().sigma() / 2;
    for (int i = 1; result.accuracy(i * step) > 0; i++) {
      radii.add(i * step);
    }
    return radii;
  }

  static JsonObject json(Certification.Result result) {
    JsonObject json = new JsonObject();
    json.addProperty("sigma", result.smoothing().sigma());
    json.addProperty("selection", result.smoothing().selection());
    json.addProperty("estimation", result.smoothing().estimation());
    json.addProperty("alpha", result.smoothing().alpha());
    json.addProperty("images", result.images().size());
    json.addProperty("abstained", result.abstained());
    json.addProperty("mean_radius", result.meanRadius());
    json.addProperty("seconds", result.seconds());
    JsonArray certified = new JsonArray();
    for (double radius : radii(result)) {
      JsonObject at = new JsonObject();
      at.addProperty("radius", radius);
      at.addProperty("accuracy", result.accuracy(radius));
      certified.add(at);
    }
    json.add("certified", certified);
    JsonArray each = new JsonArray();
    for (Certification.Certified one : result.images()) {
      JsonObject image = new JsonObject();
      image.addProperty("index", one.index());
      image.addProperty("label", one.label());
      image.addProperty("prediction", one.certificate().prediction());
      image.addProperty("radius", one.certificate().radius());
      each.add(image);
    }
    json.add("certificates", each);
    return json;
  }

  static JsonArray json(List<Result> results) {
    return json(results, List.of());
  }

  /**
   * @param classes whose accuracies are wanted too; else empty
   */
  static JsonArray json(List<Result> results, List<String> classes) {
    JsonArray array = new JsonArray();
    for (Result r : results) {
      JsonObject one = new JsonObject();
      one.addProperty("attack", r.attack());
      one.addProperty("images", r.images());
      one.addProperty("correct", r.correct());
      one.addProperty("accuracy", r.accuracy());
      one.addProperty("worst_accuracy", r.worstAccuracy());
      if (!r.isClean()) {
        one.addProperty("w_robust", r.weightedAccuracy());
      }
      one.addProperty("mean_perturbation", r.meanPerturbation());
      one.addProperty("max_perturbation", r.maxPerturbation());
      one.addProperty("seconds", r.seconds());
      if (!r.settings().isEmpty()) {
        one.add("settings", r.settings());
      }
      if (!classes.isEmpty()) {
        one.add("per_class", perClass(r, classes));
      }
      if (!r.components().isEmpty()) {
        one.add("components", json(r.components(), classes));
      }
      array.add(one);
    }
    return array;
  }

  private static JsonArray perClass(Result result, List<String> classes) {
    JsonArray array = new JsonArray();
    for (int k = 0; k < classes.size(); k++) {
      int[] counts = counts(result, k);
      JsonObject one = new JsonObject();
      one.addProperty("class", classes.get(k));
      one.addProperty("images", counts[0]);
      one.addProperty("correct", counts[1]);
      array.add(one);
    }
    return array;
  }

  /** What a finished run's students, the best first, come to: {@code evaluation.json}. */
  static JsonObject evaluation(List<EvaluatedStudent> students, Recipe recipe) {
    JsonObject json = new JsonObject();
    json.addProperty("recipe", recipe.name());
    json.addProperty("data", recipe.data());
    json.addProperty("norm", recipe.attack().ball().norm().name());
    json.addProperty("epsilon", recipe.attack().ball().epsilon());
    for (EvaluatedStudent student : students) {
      boolean best = student == students.get(0);
      json.addProperty(best ? "model" : "last_model", student.file());
      json.add(best ? "results" : "last_results", json(student.results()));
    }
    return json;
  }
}
