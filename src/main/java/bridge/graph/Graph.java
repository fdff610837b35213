package bridge.graph;

import bridge.torch.Tensor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The way from images to logits.
 *
 * @param nodes in the order of their computation; value 0 is the images
 * @param output the value that is the logits
 * @param weights what {@link Operand.Weight} counts: parameters, buffers, constants
 */
public record Graph(List<Node> nodes, int output, List<Tensor> weights) {

  /** Says, in words, why there is no graph. */
  public static final class Unsupported extends RuntimeException {
    @java.io.Serial private static final long serialVersionUID = 1;

    public Unsupported(String reason) {
      super(reason);
    }
  }

  /** How often each value is needed, the output once more. */
  Map<Integer, Integer> uses() {
    Map<Integer, Integer> uses = new HashMap<>();
    nodes.forEach(node -> node.inputs().forEach(id -> uses.merge(id, 1, Integer::sum)));
    uses.merge(output, 1, Integer::sum);
    return uses;
  }

  /** By the id of their results. */
  Map<Integer, Node> producers() {
    Map<Integer, Node> producers = new HashMap<>();
    nodes.forEach(node -> producers.put(node.id(), node));
    return producers;
  }

  /** The values that depend on the images: those with a gradient. */
  Set<Integer> dependent() {
    Set<Integer> dependent = new HashSet<>(Set.of(0));
    for (Node node : nodes) {
      if (node.inputs().anyMatch(dependent::contains)) {
        dependent.add(node.id());
      }
    }
    return dependent;
  }
}
