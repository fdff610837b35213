package bridge.evaluate;

import bridge.Json;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.annotations.SerializedName;
import java.util.Optional;

/**
 * What came of one attack on one batch.
 *
 * @param predictions under the attack, or without it for images that were wrong then
 * @param perturbations how far each image was moved, in the norm of the evaluation
 * @param seconds it took
 * @param outside how many images left the ball or [0, 1]
 * @param zeroGradients for how many images the attack found no gradient
 * @param images all of the batch's, on the processor; empty where they are not kept
 */
record BatchResult(
    int[] predictions,
    double[] perturbations,
    double seconds,
    int outside,
    int zeroGradients,
    Optional<Tensor> images) {

  /** What a state keeps of it, but for the images. */
  private record Line(
      int[] predictions,
      @SerializedName("changes") double[] perturbations,
      double seconds,
      int outside,
      @SerializedName("zero_gradients") int zeroGradients) {}

  /** The same, having taken its share of the time of so many batches worked on at once. */
  BatchResult sharing(int batches) {
    return new BatchResult(
        predictions, perturbations, seconds / batches, outside, zeroGradients, images);
  }

  BatchResult withoutImages() {
    return new BatchResult(
        predictions, perturbations, seconds, outside, zeroGradients, Optional.empty());
  }

  /** All but the images. */
  JsonObject json() {
    return Json.tree(new Line(predictions, perturbations, seconds, outside, zeroGradients));
  }

  static BatchResult of(JsonObject json, Optional<Tensor> images) {
    Line line = Json.GSON.fromJson(json, Line.class);
    return new BatchResult(
        line.predictions,
        line.perturbations,
        line.seconds,
        line.outside,
        line.zeroGradients,
        images);
  }
}
