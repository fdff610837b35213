package bridge.cli;

import bridge.checkpoint.Checkpoints;
import bridge.evaluate.Certification;
import bridge.evaluate.Evaluation;
import bridge.files.WholeFile;
import bridge.model.ModelSpec;
import bridge.torch.Device;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** What {@code bridge evaluate --json} writes: the results, and all that they depend on. */
final class EvaluationFile {
  private static final Gson PRETTY =
      new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

  private final JsonObject settings;
  private final JsonObject environment;

  /**
   * @param settings all that the results depend on but the attacks and the models' files
   */
  EvaluationFile(JsonObject settings, Device device) {
    this.settings = settings;
    this.environment = Common.environment(device);
  }

  /** Adds the SHA-256 of a model's file; null adds nothing. */
  void model(String name, ModelSpec spec) {
    if (spec != null) {
      spec.checkpoint()
          .ifPresent(file -> settings.addProperty(name + "_sha256", Checkpoints.sha256(file)));
    }
  }

  /** All that the results depend on but the attacks. */
  JsonObject fixed() {
    return settings;
  }

  /**
   * @param classes whose accuracies are wanted too; else empty
   * @param certified null without certificates
   */
  void write(
      Path file,
      List<Evaluation.Result> results,
      List<String> classes,
      Certification.Result certified,
      List<String> warnings) {
    JsonObject object = settings.deepCopy();
    object.addProperty("finished", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    object.add("environment", environment);
    object.add("results", Tables.json(results, classes));
    if (certified != null) {
      object.add("smoothing", Tables.json(certified));
    }
    JsonArray told = new JsonArray();
    warnings.forEach(told::add);
    object.add("warnings", told);
    WholeFile.write(file, PRETTY.toJson(object) + "\n");
  }
}
