package bridge.train;

import bridge.torch.DType;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

/** By how much a run may differ from a recorded one, as the recorded one's card says. */
record TrajectoryTolerance(JsonObject json) {
  /** Of a step's figure of this value, for an implementation in that precision. */
  double within(int step, String figure, double value, DType type) {
    if (type == DType.FLOAT64) {
      return float64("loss_relative") * Math.abs(value);
    }
    return Trajectory.value(json.getAsJsonObject("per_step").get(figure), step)
        .orElse(1e-5 * Math.abs(value));
  }

  private double float64(String key) {
    return json.getAsJsonObject("float64_implementation").get(key).getAsDouble();
  }

  /** Of the student after the last step of a run in float64, relative. */
  double atTheEnd() {
    return float64("state_rel_l2");
  }

  /** Of the student after so many steps. */
  JsonObject snapshot(int steps) {
    return json.getAsJsonObject("snapshots").getAsJsonObject(String.valueOf(steps));
  }

  /** From which distance on two pixels are different ones. */
  double pixelsDiffer() {
    return json.getAsJsonObject("x_adv").get("element_abs").getAsDouble();
  }

  /** Which share of the pixels may be different ones after so many steps. */
  double shareOfPixels(int steps) {
    JsonElement shares = json.getAsJsonObject("x_adv").get("allowed_share_of_differing_elements");
    return shares.getAsJsonObject().get(String.valueOf(steps)).getAsDouble();
  }
}
