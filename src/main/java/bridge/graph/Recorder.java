package bridge.graph;

import bridge.torch.Recording;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Writes down what a network does to images. */
final class Recorder implements Recording.Listener {
  /** What gives a view of its operand: changing that in place would change both. */
  private static final Set<String> VIEWS = Set.of("reshape", "flatten", "transpose", "narrow");

  private final Map<Tensor, Operand> known = new IdentityHashMap<>();
  private final Map<Integer, String> operators = new java.util.HashMap<>();
  private final List<Node> nodes = new ArrayList<>();

  private Recorder() {}

  /**
   * The graph of one forward pass.
   *
   * @param weights all tensors the pass may use beside the images
   * @throws Graph.Unsupported if something in it is no operation that is shown
   */
  static Graph record(UnaryOperator<Tensor> forward, Tensor images, Collection<Tensor> weights) {
    Recorder recorder = new Recorder();
    recorder.known.put(images, new Operand.Value(0));
    List<Tensor> list = List.copyOf(weights);
    for (int i = 0; i < list.size(); i++) {
      recorder.known.put(list.get(i), new Operand.Weight(i));
    }
    Tensor logits;
    try (Recording _ = Recording.to(recorder)) {
      logits = forward.apply(images);
    }
    if (recorder.operand(logits) instanceof Operand.Value(int output)) {
      return new Graph(List.copyOf(recorder.nodes), output, list);
    }
    throw new Graph.Unsupported("its logits are one of its weights");
  }

  @Override
  public void operation(String operator, Tensor result, Object... arguments) {
    List<Operand> operands = Arrays.stream(arguments).map(this::operand).toList();
    boolean inPlace = known.containsKey(result);
    if (inPlace && isView(known.get(result))) {
      throw new Graph.Unsupported("it changes a view in place (%s)".formatted(operator));
    }
    int id = nodes.size() + 1;
    nodes.add(new Node(id, operator, operands));
    operators.put(id, operator);
    known.put(result, new Operand.Value(id));
  }

  private boolean isView(Operand operand) {
    return operand instanceof Operand.Value(int id)
        && (id == 0 || VIEWS.contains(operators.get(id)));
  }

  private Operand operand(Object argument) {
    return switch (argument) {
      case null -> new Operand.Literal("None");
      case Tensor tensor -> tensor(tensor);
      case List<?> items -> new Operand.Items(items.stream().map(this::operand).toList());
      case long[] numbers -> new Operand.Literal(Arrays.toString(numbers));
      case Boolean flag -> new Operand.Literal(flag ? "True" : "False");
      default -> new Operand.Literal(argument.toString());
    };
  }

  private Operand tensor(Tensor tensor) {
    Operand operand = known.get(tensor);
    if (operand == null) {
      throw new Graph.Unsupported("it uses an operation that is not followed");
    }
    return operand;
  }
}
