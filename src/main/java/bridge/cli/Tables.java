package bridge.cli;

import bridge.Json;
import bridge.attack.Norm;
import bridge.evaluate.Certification;
import bridge.evaluate.Evaluation.Result;
import bridge.train.EvaluatedStudent;
import bridge.train.Recipe;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.annotations.SerializedName;
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
    List<Integer> predictions = result.predictions();
    int[] of = IntStream.range(0, labels.size()).filter(i -> labels.get(i) == label).toArray();
    int right = (int) IntStream.of(of).filter(i -> predictions.get(i) == label).count();
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

  private record Certificates(
      double sigma,
      int selection,
      int estimation,
      double alpha,
      int images,
      int abstained,
      @SerializedName("mean_radius") double meanRadius,
      double seconds,
      List<CertifiedAccuracy> certified,
      List<ImageCertificate> certificates) {}

  private record CertifiedAccuracy(double radius, double accuracy) {}

  private record ImageCertificate(int index, int label, int prediction, double radius) {}

  static JsonObject json(Certification.Result result) {
    return Json.tree(
        new Certificates(
            result.smoothing().sigma(),
            result.smoothing().selection(),
            result.smoothing().estimation(),
            result.smoothing().alpha(),
            result.images().size(),
            result.abstained(),
            result.meanRadius(),
            result.seconds(),
            radii(result).stream()
                .map(radius -> new CertifiedAccuracy(radius, result.accuracy(radius)))
                .toList(),
            result.images().stream().map(Tables::certificate).toList()));
  }

  private static ImageCertificate certificate(Certification.Certified image) {
    return new ImageCertificate(
        image.index(),
        image.label(),
        image.certificate().prediction(),
        image.certificate().radius());
  }

  /** What files have of a result; null for what is not asked for, and {@code wRobust} of clean. */
  private record ResultRow(
      String attack,
      int images,
      int correct,
      double accuracy,
      @SerializedName("worst_accuracy") double worstAccuracy,
      @SerializedName("w_robust") Double weightedAccuracy,
      @SerializedName("mean_perturbation") double meanPerturbation,
      @SerializedName("max_perturbation") double maxPerturbation,
      double seconds,
      JsonObject settings,
      @SerializedName("per_class") List<ClassRow> perClass,
      List<ResultRow> components) {

    static ResultRow of(Result r, List<String> classes) {
      return new ResultRow(
          r.attack(),
          r.images(),
          r.correct(),
          r.accuracy(),
          r.worstAccuracy(),
          r.isClean() ? null : r.weightedAccuracy(),
          r.meanPerturbation(),
          r.maxPerturbation(),
          r.seconds(),
          r.settings().isEmpty() ? null : r.settings(),
          classes.isEmpty() ? null : ClassRow.of(r, classes),
          r.components().isEmpty() ? null : rows(r.components(), classes));
    }
  }

  private record ClassRow(@SerializedName("class") String name, int images, int correct) {

    static List<ClassRow> of(Result result, List<String> classes) {
      return IntStream.range(0, classes.size())
          .mapToObj(
              k -> {
                int[] counts = counts(result, k);
                return new ClassRow(classes.get(k), counts[0], counts[1]);
              })
          .toList();
    }
  }

  private static List<ResultRow> rows(List<Result> results, List<String> classes) {
    return results.stream().map(result -> ResultRow.of(result, classes)).toList();
  }

  /**
   * @param classes whose accuracies are wanted too; else empty
   */
  static JsonArray json(List<Result> results, List<String> classes) {
    return Json.GSON.toJsonTree(rows(results, classes)).getAsJsonArray();
  }

  private record RunEvaluation(
      String recipe,
      String data,
      Norm norm,
      double epsilon,
      String model,
      List<ResultRow> results,
      @SerializedName("last_model") String lastModel,
      @SerializedName("last_results") List<ResultRow> lastResults) {}

  /** What a finished run's students, the best first, come to: {@code evaluation.json}. */
  static JsonObject evaluation(List<EvaluatedStudent> students, Recipe recipe) {
    EvaluatedStudent best = students.getFirst();
    EvaluatedStudent last = students.getLast();
    return Json.tree(
        new RunEvaluation(
            recipe.name(),
            recipe.data(),
            recipe.attack().ball().norm(),
            recipe.attack().ball().epsilon(),
            best.file(),
            rows(best.results(), List.of()),
            last.file(),
            rows(last.results(), List.of())));
  }
}
