package bridge.graph;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads the graph of a frozen TorchScript module out of its text, in which constants carry the
 * paths of the parameters they were. What stands in branches and loops is not read, and what
 * depends on it is not known: only checks of shapes may stand there.
 */
final class ScriptReader {
  private static final Pattern LINE =
      Pattern.compile(
          "  %(\\S+) : (.+?) = (\\w+)::(\\w+)(?:\\[value=(.*)])?\\(([^()]*)\\)\\s*(#.*)?");
  private static final Pattern RETURN = Pattern.compile("  return \\(%(\\S+)\\)");
  private static final Pattern INPUT = Pattern.compile(" *%(\\S+) : Tensor\\)?:?");
  private static final Set<String> VIEWS =
      Set.of("view", "reshape", "flatten", "transpose", "permute", "narrow", "slice", "select");

  /** The images' number, which may stand in shapes. */
  private static final Operand BATCH = new Operand.Literal("x0.size(0)");

  /** What tracing wraps numbers in. */
  private static final Set<String> WRAPPERS = Set.of("NumToTensor", "Int", "ScalarImplicit");

  private final Map<String, Operand> known = new HashMap<>();
  private final Map<String, Integer> weights;
  private final Set<Operand> views = new java.util.HashSet<>();
  private final List<Node> nodes = new ArrayList<>();
  private String unknown = "control flow";

  private ScriptReader(Map<String, Integer> weights) {
    this.weights = weights;
  }

  /**
   * The graph of a module of one tensor in, one tensor out.
   *
   * @param text as libtorch prints a frozen graph
   * @param tensors the module's parameters and buffers by path
   * @param normalisation mean and deviation that the images are normalised by first; none if empty
   * @throws Graph.Unsupported if the text has what is not understood
   */
  static Graph read(String text, Map<String, Tensor> tensors, List<Tensor> normalisation) {
    Map<String, Integer> indices = new HashMap<>();
    tensors.keySet().forEach(path -> indices.put("self." + path, indices.size()));
    List<Tensor> all = new ArrayList<>(tensors.values());
    all.addAll(normalisation);
    return new ScriptReader(indices).read(text, all, !normalisation.isEmpty());
  }

  private Graph read(String text, List<Tensor> list, boolean normalised) {
    String[] lines = text.split("\n");
    Matcher input = INPUT.matcher(lines[1]);
    if (!input.lookingAt()) {
      throw new Graph.Unsupported("it does not take one tensor");
    }
    known.put(input.group(1), normalised ? normalise(list.size()) : new Operand.Value(0));
    for (String line : lines) {
      Matcher end = RETURN.matcher(line);
      if (end.lookingAt()) {
        return finish(end.group(1), list);
      }
      Matcher node = LINE.matcher(line);
      if (node.matches()) {
        read(node);
      }
    }
    throw new Graph.Unsupported("it does not give one tensor");
  }

  /** The last two weights are mean and deviation. */
  private Operand normalise(int weights) {
    nodes.add(new Node(1, "sub", List.of(new Operand.Value(0), new Operand.Weight(weights - 2))));
    nodes.add(new Node(2, "div", List.of(new Operand.Value(1), new Operand.Weight(weights - 1))));
    return new Operand.Value(2);
  }

  private Graph finish(String name, List<Tensor> list) {
    if (known.get(name) instanceof Operand.Value(int output)) {
      return new Graph(List.copyOf(nodes), output, list);
    }
    throw new Graph.Unsupported("its TorchScript has " + unknown);
  }

  private void read(Matcher line) {
    String name = line.group(1);
    if (line.group(3).equals("prim")) {
      primitive(name, line).ifPresent(operand -> known.put(name, operand));
    } else if (line.group(3).equals("aten")) {
      operation(name, line.group(4), line.group(6));
    }
  }

  private Optional<Operand> primitive(String name, Matcher line) {
    return switch (line.group(4)) {
      case "Constant" -> constant(name, line.group(2), line.group(5));
      case "ListConstruct" -> list(line.group(6));
      case "NumToTensor" -> Optional.ofNullable(known.get(line.group(6).replaceFirst("^%", "")));
      default -> Optional.empty();
    };
  }

  private Optional<Operand> constant(String name, String type, String value) {
    Integer weight = weights.get(name);
    if (weight != null && !type.equals("NoneType")) {
      return Optional.of(new Operand.Weight(weight));
    }
    return switch (type) {
      case "NoneType" -> Optional.of(new Operand.Literal("None"));
      case "bool" -> Optional.of(new Operand.Literal(value.equals("1") ? "True" : "False"));
      case "int", "float", "int[]", "float[]", "str" -> Optional.of(new Operand.Literal(value));
      default -> Optional.empty();
    };
  }

  private Optional<Operand> list(String arguments) {
    List<Operand> items = new ArrayList<>();
    for (String argument : arguments.split(", ")) {
      Operand operand = known.get(argument.replaceFirst("^%", ""));
      if (operand == null) {
        return Optional.empty();
      }
      items.add(operand);
    }
    if (items.stream().allMatch(Operand.Literal.class::isInstance)) {
      List<String> texts = items.stream().map(item -> ((Operand.Literal) item).text()).toList();
      return Optional.of(new Operand.Literal("[" + String.join(", ", texts) + "]"));
    }
    return Optional.of(new Operand.Items(items));
  }

  private static boolean isBatch(String operator, List<Operand> operands) {
    boolean size =
        operator.equals("size")
            && operands.size() == 2
            && operands.get(1).equals(new Operand.Literal("0"));
    return size || WRAPPERS.contains(operator) && operands.get(0).equals(BATCH);
  }

  private void operation(String name, String spelling, String arguments) {
    boolean inPlace = spelling.endsWith("_");
    String operator = inPlace ? spelling.substring(0, spelling.length() - 1) : spelling;
    List<Operand> operands = new ArrayList<>();
    for (String argument : arguments.split(", ")) {
      Operand operand = known.get(argument.replaceFirst("^%", ""));
      if (operand == null) {
        unknown = "control flow or constants that are no parameters, before " + spelling;
        return;
      }
      operands.add(operand);
    }
    if (isBatch(operator, operands)) {
      known.put(name, BATCH);
      return;
    }
    Operand result = new Operand.Value(nodes.size() + 1);
    nodes.add(new Node(nodes.size() + 1, operator, operands));
    if (VIEWS.contains(operator)) {
      views.add(result);
    }
    if (inPlace) {
      changeInPlace(operands.get(0), result, spelling);
    }
    known.put(name, result);
  }

  /** From now on, the names of what was changed mean the result. */
  private void changeInPlace(Operand changed, Operand result, String spelling) {
    if (views.contains(changed) || changed.equals(new Operand.Value(0))) {
      throw new Graph.Unsupported("it changes a view in place (%s)".formatted(spelling));
    }
    known.replaceAll((_, operand) -> operand.equals(changed) ? result : operand);
  }
}
