package bridge.graph;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes a graph as a TorchScript function {@code (x0: Tensor, p: List[Tensor]) -> List[Tensor]}.
 */
final class ForwardText {
  /** Give a tensor of their own that may be changed in place. */
  private static final Set<String> FRESH =
      Set.of("conv2d", "linear", "batch_norm", "add", "sub", "mul", "div", "cat", "avg_pool2d");

  static final Set<String> RESHAPES = Set.of("view", "reshape", "flatten");

  private static final Map<String, String> IN_PLACE =
      Map.of("relu", "relu_", "hardtanh", "hardtanh_", "add", "add_");

  private final Graph graph;
  private final Map<Integer, long[]> shapes;
  private final Map<Integer, Integer> uses;
  private final Map<Integer, Node> producers;
  private final Set<Integer> kept;

  /**
   * @param shapes of the values for some batch; null as long as they are not known, and then
   *     nothing is overwritten
   * @param kept values that must stay as they are
   */
  ForwardText(Graph graph, Map<Integer, long[]> shapes, Set<Integer> kept) {
    this.graph = graph;
    this.shapes = shapes;
    this.uses = graph.uses();
    this.producers = graph.producers();
    this.kept = new HashSet<>(kept);
    this.kept.add(graph.output());
  }

  /** The function's text; it gives these values, named as in {@link #name}. */
  String function(String name, List<String> results) {
    StringBuilder text = new StringBuilder();
    text.append("def %s(x0: Tensor, p: List[Tensor]) -> List[Tensor]:\n".formatted(name));
    graph.nodes().stream()
        .flatMap(node -> node.operands().stream())
        .flatMap(ForwardText::weights)
        .distinct()
        .sorted()
        .forEach(i -> text.append("  p%d = p[%d]\n".formatted(i, i)));
    for (Node node : graph.nodes()) {
      text.append("  ").append(statement(node)).append('\n');
    }
    return text.append("  return [%s]\n".formatted(String.join(", ", results))).toString();
  }

  private static Stream<Integer> weights(Operand operand) {
    return switch (operand) {
      case Operand.Weight(int index) -> Stream.of(index);
      case Operand.Items(List<Operand> items) -> items.stream().flatMap(ForwardText::weights);
      case Operand.Value _, Operand.Literal _ -> Stream.of();
    };
  }

  /** The variable that holds a value. */
  static String name(int id) {
    return "x" + id;
  }

  /** The variable that holds where a max-pooling found its values. */
  static String indices(int id) {
    return "i" + id;
  }

  static String text(Operand operand) {
    return switch (operand) {
      case Operand.Value(int id) -> name(id);
      case Operand.Weight(int index) -> "p" + index;
      case Operand.Literal(String literal) -> literal;
      case Operand.Items(List<Operand> items) ->
          items.stream().map(ForwardText::text).collect(Collectors.joining(", ", "[", "]"));
    };
  }

  private String statement(Node node) {
    String result = name(node.id());
    List<String> operands = node.operands().stream().map(ForwardText::text).toList();
    return switch (node.operator()) {
      case String view when shapes != null && RESHAPES.contains(view) ->
          call(result, "reshape", List.of(operands.get(0), Shapes.text(shapes.get(node.id()))));
      case "max_pool2d" ->
          "%s, %s = torch.max_pool2d_with_indices(%s)"
              .formatted(result, indices(node.id()), String.join(", ", operands));
      case "conv2d" -> call(result, "conv2d", operands.subList(0, 7));
      case "batch_norm" ->
          call(
              result,
              "batch_norm",
              Stream.concat(operands.stream().limit(8), Stream.of("True")).toList());
      case String operator when overwrites(node) -> call(result, IN_PLACE.get(operator), operands);
      default -> call(result, node.operator(), operands);
    };
  }

  private static String call(String result, String operator, List<String> operands) {
    return "%s = torch.%s(%s)".formatted(result, operator, String.join(", ", operands));
  }

  private boolean overwrites(Node node) {
    if (shapes == null || !IN_PLACE.containsKey(node.operator())) {
      return false;
    }
    if (!(node.operands().get(0) instanceof Operand.Value(int first))) {
      return false;
    }
    Node producer = producers.get(first);
    boolean same = java.util.Arrays.equals(shapes.get(first), shapes.get(node.id()));
    return producer != null
        && same
        && FRESH.contains(producer.operator())
        && uses.get(first) == 1
        && !kept.contains(first);
  }
}
