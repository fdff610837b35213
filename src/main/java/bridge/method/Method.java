package bridge.method;

import bridge.method.parts.Inputs;
import bridge.method.parts.Turn;
import bridge.torch.Tensor;
import java.util.Map;

/**
 * A training method: for every batch, what the attack climbs and what the student descends.
 *
 * <p>The loop calls {@link #begin}, then the attack on the turn's objective, then the turn's
 * descent. A method that holds parameters of its own (projection heads) or other state hands them
 * out, so that they are trained, saved and restored with the rest.
 */
public interface Method {

  /** The turn of this batch. Called with the student in evaluation mode. */
  Turn begin(Inputs inputs);

  /** Tensors the method trains beside the student's, by name. */
  default Map<String, Tensor> parameters() {
    return Map.of();
  }

  /** All tensors a resumed run needs, by name: the parameters, their buffers, running counts. */
  default Map<String, Tensor> state() {
    return parameters();
  }

  /** Figures about the epoch that ended, by name; reads from the device and starts anew. */
  default Map<String, Double> epochSummary() {
    return Map.of();
  }
}
