package bridge.method;

import bridge.gradient.Objective;
import bridge.torch.Tensor;
import java.util.Map;
import java.util.Optional;

/**
 * A training method in two functions: what the attack climbs and what the student descends.
 *
 * <p>The loop calls, for every batch, {@link #inner}, then the attack on it, then {@link #outer}. A
 * method that holds parameters of its own (projection heads) or other state hands them out, so that
 * they are trained, saved and restored with the rest.
 */
public interface Method {

  /**
   * What the attack climbs on this batch; empty where the method trains without an attack. Called
   * with the student in evaluation mode.
   */
  Optional<Objective> inner(Inputs inputs);

  /**
   * What the student descends. Called with the student in training mode.
   *
   * @param adversarial the attack's images; the clean ones where {@link #inner} was empty
   */
  Loss outer(Inputs inputs, Tensor adversarial);

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
