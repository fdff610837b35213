package bridge.gradient;

import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.List;

/**
 * What an attack climbs, as data: a form, which stays the same for a whole run, and the constants
 * of one batch. Nothing of a batch hides in the form, so whoever evaluates it may put other
 * networks in the place of those named (folded ones), or record its work once and replay it with
 * the next batch's constants.
 *
 * @param constants tensors that no gradient flows into: labels int64 [N], targets [N, K] …
 */
public record Objective(Form form, List<Tensor> constants) {

  /** How the value, a scalar, follows from the networks' logits and the constants. */
  @FunctionalInterface
  public interface Value {
    /**
     * @param logits [N, K] of each of the form's networks at the images, in their order
     * @param constants of the batch, as the form's user gave them
     */
    Tensor of(List<Tensor> logits, List<Tensor> constants);
  }

  /**
   * Which networks are asked about the images, and what becomes of their logits. Made once a run;
   * larger values are worse for the network under attack.
   *
   * @param networks in the order in which they are asked
   */
  public record Form(List<Network> networks, Value value) {

    /** Of one network's logits. */
    public static Form of(Network network, Value value) {
      return new Form(List.of(network), value);
    }

    /** The objective with one batch's constants. */
    public Objective with(Tensor... constants) {
      return new Objective(this, List.of(constants));
    }
  }

  /** The value, a scalar, at these images [N, C, H, W]. */
  public Tensor at(Tensor images) {
    List<Tensor> logits = form.networks.stream().map(n -> n.logits(images)).toList();
    return form.value.of(logits, constants);
  }
}
