package bridge.report;

import static bridge.report.RunFiles.number;
import static bridge.report.RunFiles.object;
import static bridge.report.RunFiles.objects;
import static bridge.report.RunFiles.string;

import bridge.UsageException;
import bridge.files.FileException;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * One evaluation of one model, as a file says it: what it does not say is empty or NaN.
 *
 * @param model the run's folder, or what the model was called
 * @param accuracies by attack, {@code clean} among them
 * @param worst accuracy under the worst of them per image
 * @param weighted W-Robust for the attack under which the accuracy is least
 */
record LeaderboardEntry(
    Path source,
    String model,
    String method,
    String student,
    String data,
    String norm,
    double epsilon,
    String images,
    Map<String, Double> accuracies,
    double worst,
    double weighted) {

  /**
   * The evaluations of a run's folder, its best and its last student, or of a file that {@code
   * bridge evaluate --json} wrote.
   *
   * @throws UsageException if there is none
   */
  static List<LeaderboardEntry> of(Path source) {
    boolean run = Files.isDirectory(source);
    Path file = run ? source.resolve("evaluation.json") : source;
    if (!Files.exists(file)) {
      throw new UsageException(
          run
              ? "%s has no evaluation.json: the run has not been evaluated; finish it with --resume"
                  .formatted(source)
              : "%s: no such run folder or evaluation file; check the path".formatted(source));
    }
    JsonObject evaluation = evaluation(file);
    JsonObject recipe = run ? RunFiles.of(source).recipe() : new JsonObject();
    List<LeaderboardEntry> entries = new ArrayList<>();
    for (String prefix : List.of("", "last_")) {
      if (!objects(evaluation, prefix + "results").isEmpty()) {
        entries.add(entry(source, run, recipe, evaluation, prefix));
      }
    }
    if (entries.isEmpty()) {
      throw new UsageException(
          "%s holds no results; name a run's folder or a file of bridge evaluate --json"
              .formatted(file));
    }
    return entries;
  }

  private static JsonObject evaluation(Path file) {
    try {
      JsonObject object = MetricsLog.parse(Files.readString(file, StandardCharsets.UTF_8));
      return object == null ? new JsonObject() : object;
    } catch (IOException e) {
      throw FileException.unreadable(file, e);
    }
  }

  private static LeaderboardEntry entry(
      Path source, boolean run, JsonObject recipe, JsonObject evaluation, String prefix) {
    List<JsonObject> results = objects(evaluation, prefix + "results");
    Map<String, Double> accuracies = new LinkedHashMap<>();
    results.stream()
        .filter(result -> !string(result, "attack").isEmpty())
        .forEach(result -> accuracies.put(string(result, "attack"), number(result, "accuracy")));
    String model = string(evaluation, prefix + "model");
    if (run) {
      Path name = source.toAbsolutePath().normalize().getFileName();
      model = name + (prefix.isEmpty() ? "" : " (last)");
    }
    return new LeaderboardEntry(
        source,
        model,
        string(object(recipe, "method"), "name"),
        string(object(recipe, "student"), "model"),
        string(evaluation, "data"),
        string(evaluation, "norm"),
        number(evaluation, "epsilon"),
        string(results.getFirst(), "images"),
        accuracies,
        least(results.stream().map(result -> number(result, "worst_accuracy"))),
        weighted(accuracies));
  }

  /** As the evaluations have it: half of clean and half of robust. */
  private static double weighted(Map<String, Double> accuracies) {
    double clean = accuracies.getOrDefault(Leaderboard.CLEAN, Double.NaN);
    double robust =
        least(
            accuracies.entrySet().stream()
                .filter(e -> !e.getKey().equals(Leaderboard.CLEAN))
                .map(Map.Entry::getValue));
    return (clean + robust) / 2;
  }

  private static double least(Stream<Double> values) {
    return values.filter(Double::isFinite).min(Double::compare).orElse(Double.NaN);
  }

  /** A number of this entry by the name of its column; NaN where there is none. */
  double value(String column) {
    return switch (column) {
      case Leaderboard.WORST -> worst;
      case Leaderboard.WEIGHTED -> weighted;
      default -> accuracies.getOrDefault(column, Double.NaN);
    };
  }
}
