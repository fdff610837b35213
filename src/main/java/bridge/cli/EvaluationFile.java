package bridge.cli;

import bridge.Json;
import bridge.evaluate.Certification;
import bridge.evaluate.Evaluation;
import bridge.evaluate.EvaluationSettings;
import bridge.files.WholeFile;
import bridge.torch.Device;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;

/**
 * What {@code bridge evaluate --json} writes beside the settings: the results.
 *
 * @param smoothing null without certificates, and then left out
 */
record EvaluationFile(
    String finished,
    JsonObject environment,
    JsonArray results,
    JsonObject smoothing,
    List<String> warnings) {

  /**
   * @param classes whose accuracies are wanted too; else empty
   */
  static void write(
      Path file,
      EvaluationSettings settings,
      Device device,
      List<Evaluation.Result> results,
      List<String> classes,
      Optional<Certification.Result> certified,
      List<String> warnings) {
    EvaluationFile content =
        new EvaluationFile(
            Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
            Environment.json(device),
            Tables.json(results, classes),
            certified.map(Tables::json).orElse(null),
            warnings);
    JsonObject json = settings.json();
    Json.tree(content).asMap().forEach(json::add);
    WholeFile.write(file, Json.write(json) + "\n");
  }
}
