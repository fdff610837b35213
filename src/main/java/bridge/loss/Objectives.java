package bridge.loss;

import bridge.gradient.Objective.Form;
import bridge.model.Network;
import java.util.List;

/** The objectives that attacks and methods climb, each a form to be given a batch's constants. */
public final class Objectives {
  private Objectives() {}

  /** The cross-entropy of the network. Constants: labels int64 [N]. */
  public static Form crossEntropy(Network network) {
    return Form.of(network, (z, c) -> Losses.crossEntropy(z.get(0), c.get(0)));
  }

  /** The cross-entropy with classes to reach, negated. Constants: target classes int64 [N]. */
  public static Form targetedCrossEntropy(Network network) {
    return Form.of(network, (z, c) -> Losses.crossEntropy(z.get(0), c.get(0)).neg());
  }

  /** KL(q ‖ softmax(network)), batchmean. Constants: q [N, K], probabilities. */
  public static Form kl(Network network) {
    return Form.of(network, (z, c) -> Losses.kl(c.get(0), z.get(0)));
  }

  /** The same with the network's logits divided by a temperature. */
  public static Form kl(Network network, double temperature) {
    return Form.of(network, (z, c) -> Losses.kl(c.get(0), z.get(0).div(temperature)));
  }

  /** KL(t(x) ‖ s(x)), batchmean, the gradient flowing through both networks. No constants. */
  public static Form disagreement(Network teacher, Network student) {
    return new Form(
        List.of(teacher, student), (z, _) -> Losses.klBetweenLogits(z.get(0), z.get(1)).mean());
  }
}
