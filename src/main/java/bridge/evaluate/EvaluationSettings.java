package bridge.evaluate;

import bridge.Json;
import bridge.checkpoint.Checkpoints;
import bridge.gradient.Engine;
import bridge.model.ModelSpec;
import com.google.gson.JsonObject;
import com.google.gson.annotations.SerializedName;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * All that an evaluation's results depend on, but the attacks: what its files and its state say.
 *
 * @param normalisation of the model, in words
 * @param images how many there are
 * @param gradients by what they are computed; null where by autograd, and then left out in JSON
 * @param surrogate null without one, and then left out in JSON, as are the digests of models
 *     without a file
 * @param modelDigest the SHA-256 of the model's file
 */
public record EvaluationSettings(
    String model,
    String normalisation,
    String data,
    int images,
    String norm,
    double epsilon,
    long seed,
    int batch,
    String gradients,
    String surrogate,
    @SerializedName("model_sha256") String modelDigest,
    @SerializedName("surrogate_sha256") String surrogateDigest) {

  static EvaluationSettings of(EvaluationRequest request, int images, String normalisation) {
    ModelSpec model = request.models().model();
    Optional<ModelSpec> surrogate = request.models().surrogate();
    return new EvaluationSettings(
        model.text(),
        normalisation,
        request.data().text(),
        images,
        request.attacks().ball().norm().name(),
        request.attacks().ball().epsilon(),
        request.seed(),
        request.batchSize(),
        request.engine().kind() == Engine.Kind.PLAIN ? null : "FOLDED",
        surrogate.map(ModelSpec::text).orElse(null),
        digest(model),
        surrogate.map(EvaluationSettings::digest).orElse(null));
  }

  private static String digest(ModelSpec model) {
    return model.checkpoint().map(Checkpoints::sha256).orElse(null);
  }

  /** As the files have them. */
  public JsonObject json() {
    return Json.tree(this);
  }

  /** As a file of tensors has them: the JSON of each value, {@code null} for no surrogate. */
  Map<String, String> texts() {
    Map<String, String> texts = new LinkedHashMap<>();
    json().asMap().forEach((name, value) -> texts.put(name, value.toString()));
    texts.putIfAbsent("surrogate", "null");
    return texts;
  }
}
