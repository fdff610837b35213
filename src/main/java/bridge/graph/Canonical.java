package bridge.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One spelling for each operator, what does nothing left out, and what nobody needs. */
final class Canonical {
  private static final Set<String> IDENTITIES =
      Set.of("clone", "contiguous", "detach", "alias", "to");
  private static final Set<String> DROPOUTS = Set.of("dropout", "feature_dropout");

  private final Map<Integer, Operand> renamed = new HashMap<>();
  private final List<Node> nodes = new ArrayList<>();

  private Canonical() {}

  static Graph of(Graph graph) {
    Canonical canonical = new Canonical();
    graph.nodes().forEach(canonical::add);
    Operand output = canonical.rename(new Operand.Value(graph.output()));
    if (output instanceof Operand.Value(int id)) {
      return prune(new Graph(canonical.nodes, id, graph.weights()));
    }
    throw new Graph.Unsupported("its logits are one of its weights");
  }

  private void add(Node node) {
    List<Operand> operands = node.operands().stream().map(this::rename).toList();
    if (isIdentity(node)) {
      renamed.put(node.id(), operands.get(0));
    } else {
      nodes.add(spell(new Node(node.id(), node.operator(), operands)));
    }
  }

  private Operand rename(Operand operand) {
    return switch (operand) {
      case Operand.Value(int id) -> renamed.getOrDefault(id, operand);
      case Operand.Items(List<Operand> items) ->
          new Operand.Items(items.stream().map(this::rename).toList());
      case Operand.Weight _, Operand.Literal _ -> operand;
    };
  }

  private static boolean isIdentity(Node node) {
    if (DROPOUTS.contains(node.operator())) {
      if (!node.literal(2).equals("False")) {
        throw new Graph.Unsupported("it draws at random (dropout) in evaluation mode");
      }
      return true;
    }
    return IDENTITIES.contains(node.operator());
  }

  private static Node spell(Node node) {
    List<Operand> operands = node.operands();
    return switch (node.operator()) {
      case "relu6" ->
          new Node(
              node.id(),
              "hardtanh",
              List.of(operands.get(0), new Operand.Literal("0.0"), new Operand.Literal("6.0")));
      case "_convolution" -> {
        if (!node.literal(6).equals("False")) {
          throw new Graph.Unsupported("it uses transposed convolutions");
        }
        List<Operand> kept = new ArrayList<>(operands.subList(0, 6));
        kept.add(operands.get(8));
        yield new Node(node.id(), "conv2d", kept);
      }
      case "batch_norm" -> {
        if (!node.literal(5).equals("False") || node.isNone(3) || node.isNone(4)) {
          throw new Graph.Unsupported("it normalises by the batch in evaluation mode");
        }
        yield node;
      }
      case "add", "sub" -> {
        if (operands.size() > 2 && !node.literal(2).equals("1")) {
          throw new Graph.Unsupported("it adds a multiple (alpha)");
        }
        yield new Node(node.id(), node.operator(), operands.subList(0, 2));
      }
      case "gelu" -> {
        if (operands.size() > 1 && !node.literal(1).equals("\"none\"")) {
          throw new Graph.Unsupported("it approximates gelu by " + node.literal(1));
        }
        yield new Node(node.id(), "gelu", operands.subList(0, 1));
      }
      // its gradient is given all of them
      case "avg_pool2d" -> node;
      default -> withoutDefaults(node);
    };
  }

  /** None at the end is what it is by default, and may only be named, not counted. */
  private static Node withoutDefaults(Node node) {
    int size = node.operands().size();
    while (size > 1 && node.isNone(size - 1)) {
      size--;
    }
    return new Node(node.id(), node.operator(), node.operands().subList(0, size));
  }

  private static Graph prune(Graph graph) {
    Set<Integer> needed = new HashSet<>(Set.of(graph.output()));
    for (Node node : graph.nodes().reversed()) {
      if (needed.contains(node.id())) {
        node.inputs().forEach(needed::add);
      }
    }
    return new Graph(
        graph.nodes().stream().filter(node -> needed.contains(node.id())).toList(),
        graph.output(),
        graph.weights());
  }
}
