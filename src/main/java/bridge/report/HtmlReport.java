package bridge.report;

import static bridge.report.RunFiles.number;
import static bridge.report.RunFiles.object;
import static bridge.report.RunFiles.objects;
import static bridge.report.RunFiles.series;
import static bridge.report.RunFiles.string;

import bridge.Json;
import bridge.files.FileException;
import bridge.files.WholeFile;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/**
 * A run as one page that needs nothing else: made from {@code recipe.json}, {@code metrics.jsonl}
 * and {@code evaluation.json}, as far as they are there.
 */
public final class HtmlReport {
  /** What the methods' values are called on the page, by the part of the key after its dot. */
  private static final Map<String, String> TITLES =
      Map.of(
          "accuracyAdv", "Teachers' accuracy on adversarial images",
          "rectified", "Fraction of teachers' answers rectified",
          "weight", "Mean weight per teacher");

  private final Path folder;
  private final RunFiles run;

  private HtmlReport(Path folder) {
    this.folder = folder;
    this.run = RunFiles.of(folder);
  }

  /**
   * Writes the page in one step.
   *
   * @param run the run's folder
   * @param file usually {@code report.html} in it
   * @throws ReportException if the run is not there
   * @throws FileException if it cannot be read or the page cannot be written
   */
  public static void write(Path run, Path file) {
    WholeFile.write(file, page(run));
  }

  /** Writes {@code report.html} into the run's folder, see {@link #write(Path, Path)}. */
  public static void write(Path run) {
    write(run, run.resolve("report.html"));
  }

  /**
   * The page, well-formed as XML too.
   *
   * @throws ReportException if the folder is missing
   * @throws FileException if one of its files cannot be read
   */
  public static String page(Path run) {
    HtmlReport report = new HtmlReport(run);
    return Html.page(
        "report.html",
        Map.of(
            "title", report.title(),
            "folder", Html.escape(run.toString()),
            "warnings", report.warnings(),
            "facts", report.facts(),
            "evaluation", report.evaluation(),
            "charts", report.charts(),
            "epochs", report.epochs(),
            "recipe", report.recipe()));
  }

  private String title() {
    String name = string(run.recipe(), "name");
    return Html.escape(name.isEmpty() ? folder.toAbsolutePath().getFileName() + "" : name);
  }

  private String warnings() {
    for (JsonObject step : run.steps()) {
      for (String term : object(step, "loss").keySet()) {
        if (!Double.isFinite(number(object(step, "loss"), term))) {
          return "<p class=\"warning\">The loss term %s was not finite at step %s.</p>"
              .formatted(Html.escape(term), Html.escape(string(step, "step")));
        }
      }
    }
    return "";
  }

  private String facts() {
    JsonObject recipe = run.recipe();
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("data", nameOf(recipe.get("data")));
    facts.put("student", nameOf(recipe.get("student")));
    facts.put("method", nameOf(recipe.get("method")));
    facts.put("teachers", String.join(", ", teachers()));
    int done = run.epochs().size();
    String planned = string(recipe, "epochs");
    facts.put("epochs", planned.isEmpty() ? done + "" : done + " of " + planned);
    facts.put("batch", string(recipe, "batch"));
    facts.put("seed", string(recipe, "seed"));
    double seconds = time("seconds").sum();
    facts.put("time", seconds > 0 ? NumberText.duration(seconds) : "");
    time("images_per_second")
        .average()
        .ifPresent(speed -> facts.put("images/s", NumberText.number(Math.rint(speed))));
    StringBuilder html = new StringBuilder();
    facts.forEach(
        (name, value) -> {
          if (!value.isEmpty()) {
            html.append("<div><dt>%s</dt><dd>%s</dd></div>\n".formatted(name, Html.escape(value)));
          }
        });
    return html.toString();
  }

  private DoubleStream time(String key) {
    return run.epochs().stream()
        .mapToDouble(line -> number(object(line, "time"), key))
        .filter(Double::isFinite);
  }

  /** The name of a part of the recipe: a string, or an object that has one. */
  private static String nameOf(JsonElement part) {
    JsonObject holder = new JsonObject();
    holder.add("part", part);
    if (!(part instanceof JsonObject object)) {
      return string(holder, "part");
    }
    return Stream.of("name", "model", "arch", "kind", "path")
        .map(key -> string(object, key))
        .filter(name -> !name.isEmpty())
        .findFirst()
        .orElse("");
  }

  private List<String> teachers() {
    List<String> names = new ArrayList<>();
    for (JsonObject teacher : objects(run.recipe(), "teachers")) {
      String name = nameOf(teacher);
      names.add(name.replaceFirst(".*[/@]", "").replaceFirst("\\.\\w+$", ""));
    }
    return names;
  }

  /** A table of the run's model and, where there is one, of its last state beside the best. */
  private String evaluation() {
    StringBuilder html = new StringBuilder();
    for (String prefix : List.of("", "last_")) {
      List<JsonObject> results = objects(run.evaluation(), prefix + "results");
      if (!results.isEmpty()) {
        String model = string(run.evaluation(), prefix + "model");
        html.append("<h3>").append(Html.escape(model)).append("</h3>\n").append(table(results));
      }
    }
    if (html.isEmpty()) {
      return "<p class=\"faint\">Not evaluated: no results in evaluation.json.</p>";
    }
    List<String> settings = new ArrayList<>();
    for (String key : run.evaluation().keySet()) {
      String value = string(run.evaluation(), key);
      if (!value.isEmpty() && !key.endsWith("model")) {
        settings.add(Html.escape(key + " " + value));
      }
    }
    return html + "<p class=\"faint\">" + String.join(" · ", settings) + "</p>";
  }

  private static String table(List<JsonObject> results) {
    StringBuilder html = new StringBuilder("<div class=\"wide\">\n<table>\n");
    html.append("<tr><th>attack</th><th>accuracy</th><th></th>");
    html.append("<th>under all so far</th><th>images</th><th>time</th></tr>\n");
    for (JsonObject result : results) {
      double accuracy = number(result, "accuracy");
      double seconds = number(result, "seconds");
      html.append(
          "<tr><td>%s</td><td>%s</td><td class=\"meter\"><i style=\"width: %d%%\"></i></td>"
              .formatted(
                  Html.escape(string(result, "attack")),
                  share(accuracy),
                  Math.round(100 * Math.clamp(Double.isNaN(accuracy) ? 0 : accuracy, 0, 1))));
      html.append(
          "<td>%s</td><td>%s</td><td>%s</td></tr>\n"
              .formatted(
                  share(number(result, "worst_accuracy")),
                  Html.escape(string(result, "images")),
                  seconds >= 0 ? NumberText.duration(seconds) : ""));
    }
    return html + "</table>\n</div>\n";
  }

  private static String share(double value) {
    return Double.isNaN(value) ? "" : NumberText.percent(value);
  }

  private String charts() {
    List<Chart> charts = new ArrayList<>();
    boolean bySteps = !run.steps().isEmpty();
    charts.add(
        new Chart(
            "Loss terms",
            bySteps ? "step" : "epoch",
            false,
            bySteps ? curves(run.steps(), "step", "loss") : curves(run.epochs(), "epoch", "loss")));
    charts.add(
        new Chart(
            "Accuracy on validation images",
            "epoch",
            true,
            curves(run.epochs(), "epoch", "validation")));
    charts.addAll(methodCharts());
    List<double[]> learningRates =
        run.steps().stream()
            .map(line -> new double[] {number(line, "step"), number(line, "lr")})
            .toList();
    charts.add(
        new Chart("Learning rate", "step", false, List.of(Chart.Series.of("lr", learningRates))));
    StringBuilder html = new StringBuilder();
    charts.forEach(chart -> html.append(chart.html()));
    return html.isEmpty()
        ? "<p class=\"faint\">Nothing to draw: no steps or epochs in metrics.jsonl.</p>"
        : html.toString();
  }

  private static List<Chart.Series> curves(List<JsonObject> lines, String at, String object) {
    return List.copyOf(series(lines, at, object).values());
  }

  /**
   * One chart per kind of value, with a curve per teacher: keys are {@code NAME.weight} and so on.
   */
  private List<Chart> methodCharts() {
    Map<String, List<Chart.Series>> kinds = new LinkedHashMap<>();
    series(run.epochs(), "epoch", "method")
        .forEach(
            (key, curve) -> {
              int dot = key.lastIndexOf('.');
              kinds
                  .computeIfAbsent(key.substring(dot + 1), kind -> new ArrayList<>())
                  .add(curve.named(dot < 0 ? key : key.substring(0, dot)));
            });
    List<Chart> charts = new ArrayList<>();
    kinds.forEach(
        (kind, curves) ->
            charts.add(
                new Chart(
                    TITLES.getOrDefault(kind, kind), "epoch", TITLES.containsKey(kind), curves)));
    return charts;
  }

  private String epochs() {
    if (run.epochs().isEmpty()) {
      return "<p class=\"faint\">No epoch has ended.</p>";
    }
    List<String> attacks = List.copyOf(series(run.epochs(), "epoch", "validation").keySet());
    StringBuilder html = new StringBuilder("<table>\n<tr><th>epoch</th><th>step</th><th>loss</th>");
    attacks.forEach(attack -> html.append("<th>").append(Html.escape(attack)).append("</th>"));
    html.append("<th>time</th><th>images/s</th><th>memory</th></tr>\n");
    for (JsonObject line : run.epochs()) {
      JsonObject time = object(line, "time");
      List<String> cells = new ArrayList<>(List.of(string(line, "epoch"), string(line, "step")));
      cells.add(formatted(number(object(line, "loss"), "total"), "%.4f"));
      for (String attack : attacks) {
        cells.add(formatted(100 * number(object(line, "validation"), attack), "%.1f %%"));
      }
      double seconds = number(time, "seconds");
      cells.add(seconds >= 0 ? NumberText.duration(seconds) : "");
      cells.add(formatted(number(time, "images_per_second"), "%.0f"));
      cells.add(formatted(number(time, "resident_mb"), "%.0f MB"));
      html.append("<tr>");
      cells.forEach(cell -> html.append("<td>").append(Html.escape(cell)).append("</td>"));
      html.append("</tr>\n");
    }
    return html + "</table>";
  }

  private static String formatted(double value, String format) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, format, value);
  }

  private String recipe() {
    return run.recipe().isEmpty() ? "no recipe.json" : Html.escape(Json.write(run.recipe()));
  }
}
