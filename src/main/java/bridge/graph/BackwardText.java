package bridge.graph;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Writes the gradient of the images as a TorchScript function {@code (g: Tensor, s: List[Tensor],
 * p: List[Tensor]) -> Tensor}: g is the logits' gradient, s what the forward pass saved. Weights
 * get none, so nothing is computed for them.
 */
final class BackwardText {
  private final Graph graph;
  private final Map<Integer, long[]> shapes;
  private final Set<Integer> dependent;
  private final Adjoints adjoints = new Adjoints();
  private final Set<String> saved = new LinkedHashSet<>();
  private final Set<Integer> values = new TreeSet<>();
  private final Set<Integer> weights = new TreeSet<>();

  private BackwardText(Graph graph, Map<Integer, long[]> shapes) {
    this.graph = graph;
    this.shapes = shapes;
    this.dependent = graph.dependent();
  }

  /**
   * The function.
   *
   * @param saved what it needs of the forward pass, by the variables of {@link ForwardText}; s[0]
   *     is for the logits
   * @param values those of them that are values of the graph
   */
  record Function(String text, List<String> saved, List<Integer> values) {}

  /**
   * Writes it.
   *
   * @throws Graph.Unsupported if an operator has no rule here
   */
  static Function function(String name, Graph graph, Map<Integer, long[]> shapes) {
    return new BackwardText(graph, shapes).write(name);
  }

  private Function write(String name) {
    adjoints.share(graph.output(), "g");
    for (Node node : graph.nodes().reversed()) {
      if (dependent.contains(node.id()) && adjoints.has(node.id())) {
        differentiate(node, adjoints.sum(node.id()));
      }
    }
    String images = adjoints.sum(0);
    StringBuilder text = new StringBuilder();
    text.append("def %s(g: Tensor, s: List[Tensor], p: List[Tensor]) -> Tensor:\n".formatted(name));
    List<String> order = List.copyOf(saved);
    for (int i = 0; i < order.size(); i++) {
      text.append("  %s = s[%d]\n".formatted(order.get(i), i + 1));
    }
    weights.forEach(i -> text.append("  p%d = p[%d]\n".formatted(i, i)));
    text.append(adjoints).append("  return %s\n".formatted(images));
    return new Function(text.toString(), order, List.copyOf(values));
  }

  private String value(int id) {
    values.add(id);
    return save(ForwardText.name(id));
  }

  private String save(String variable) {
    saved.add(variable);
    return variable;
  }

  private String weight(Operand operand) {
    weights.add(((Operand.Weight) operand).index());
    return ForwardText.text(operand);
  }

  /** A constant factor: a number, or one of the weights that needs no gradient itself. */
  private String factor(Operand operand) {
    return operand instanceof Operand.Weight ? weight(operand) : ForwardText.text(operand);
  }

  private void differentiate(Node node, String g) {
    int x = node.inputs().filter(dependent::contains).findFirst().orElseThrow();
    switch (node.operator()) {
      case "conv2d" -> convolution(node, g);
      case "batch_norm" -> adjoints.fresh(x, "%s * %s", g, weight(Folding.extra(node)));
      case "relu" -> adjoints.fresh(x, "torch.threshold_backward(%s, %s, 0)", g, value(node.id()));
      case "hardtanh" ->
          adjoints.fresh(
              x,
              "torch.hardtanh_backward(%s, %s, %s, %s)",
              g,
              value(node.id()),
              node.literal(1),
              node.literal(2));
      case "silu" -> adjoints.fresh(x, "torch.silu_backward(%s, %s)", g, value(x));
      case "gelu" -> adjoints.fresh(x, "torch.gelu_backward(%s, %s)", g, value(x));
      case "sigmoid", "tanh" ->
          adjoints.fresh(x, "torch.%s_backward(%s, %s)", node.operator(), g, value(node.id()));
      case "add", "sub", "mul", "div" -> arithmetic(node, g);
      case "linear" -> adjoints.fresh(x, "torch.matmul(%s, %s)", g, weight(node.operands().get(1)));
      case "view", "reshape", "flatten" -> share(x, "torch.reshape(%s, %s)", g, shape(x));
      case "adaptive_avg_pool2d", "avg_pool2d", "max_pool2d", "mean" -> pooling(node, g);
      case "cat", "stack", "narrow", "transpose", "constant_pad_nd" -> shapes(node, g);
      default ->
          throw new Graph.Unsupported("operator " + node.operator() + " has no gradient here");
    }
  }

  /** What may be a view of what others see. */
  private void share(int id, String format, Object... arguments) {
    adjoints.share(id, adjoints.assign(format, arguments));
  }

  private String shape(int id) {
    return Shapes.text(shapes.get(id));
  }

  private void convolution(Node node, String g) {
    int x = node.input();
    List<Operand> operands = node.operands();
    if (Folding.hasExtra(node)) {
      long[] out = shapes.get(node.id());
      long[] in = shapes.get(x);
      long[] kernel = node.numbers(Folding.KERNEL);
      // [N · H' · W', out] times [out, in · k · k], and each patch added where it was taken from
      String rows = "torch.reshape(torch.permute(%s, [0, 2, 3, 1]), [-1, %d])".formatted(g, out[1]);
      String columns =
          "torch.reshape(torch.matmul(%s, %s), [-1, %d, %d])"
              .formatted(
                  rows,
                  weight(Folding.extra(node)),
                  out[2] * out[3],
                  in[1] * kernel[0] * kernel[1]);
      adjoints.fresh(
          x,
          "torch.col2im(torch.transpose(%s, 1, 2), [%d, %d], %s, %s, %s, %s)",
          columns,
          in[2],
          in[3],
          node.literal(Folding.KERNEL),
          node.literal(5),
          node.literal(4),
          node.literal(3));
    } else {
      adjoints.fresh(
          x,
          "torch.convolution_backward(%s, %s, %s, None, %s, %s, %s, False, [0, 0], %s, [True,"
              + " False, False])[0]",
          g,
          value(x),
          weight(operands.get(1)),
          node.literal(3),
          node.literal(4),
          node.literal(5),
          node.literal(6));
    }
  }

  private void arithmetic(Node node, String g) {
    Operand first = node.operands().get(0);
    Operand second = node.operands().get(1);
    boolean both = depends(first) && depends(second);
    for (Operand operand : List.of(first, second)) {
      if (depends(operand)
          && !java.util.Arrays.equals(
              shapes.get(((Operand.Value) operand).id()), shapes.get(node.id()))) {
        throw new Graph.Unsupported(
            "it %ss tensors of different shapes".formatted(node.operator()));
      }
    }
    switch (node.operator()) {
      case "add" -> {
        addend(first, g);
        addend(second, g);
      }
      case "sub" -> {
        addend(first, g);
        if (depends(second)) {
          adjoints.fresh(((Operand.Value) second).id(), "-%s", g);
        }
      }
      case "mul" -> {
        if (depends(first)) {
          adjoints.fresh(((Operand.Value) first).id(), "%s * %s", g, other(second));
        }
        if (depends(second)) {
          adjoints.fresh(((Operand.Value) second).id(), "%s * %s", g, other(first));
        }
      }
      default -> {
        if (both || depends(second)) {
          throw new Graph.Unsupported("it divides by what depends on the images");
        }
        adjoints.fresh(((Operand.Value) first).id(), "%s / %s", g, factor(second));
      }
    }
  }

  private boolean depends(Operand operand) {
    return operand instanceof Operand.Value(int id) && dependent.contains(id);
  }

  private void addend(Operand operand, String g) {
    if (depends(operand)) {
      adjoints.share(((Operand.Value) operand).id(), g);
    }
  }

  private String other(Operand operand) {
    return operand instanceof Operand.Value(int id) ? value(id) : factor(operand);
  }

  private void pooling(Node node, String g) {
    int x = node.input();
    long[] in = shapes.get(x);
    switch (node.operator()) {
      case "adaptive_avg_pool2d" -> {
        long[] out = shapes.get(node.id());
        if (out[2] == 1 && out[3] == 1) {
          spread(x, g, in);
        } else {
          adjoints.fresh(x, "torch._adaptive_avg_pool2d_backward(%s, %s)", g, value(x));
        }
      }
      case "mean" -> {
        if (in.length != 4 || !node.literal(1).replace(" ", "").matches("\\[(2,3|-2,-1|3,2)]")) {
          throw new Graph.Unsupported("it takes the mean over dimensions " + node.literal(1));
        }
        spread(x, "torch.reshape(%s, [-1, %d, 1, 1])".formatted(g, in[1]), in);
      }
      case "avg_pool2d" ->
          adjoints.fresh(x, "torch.avg_pool2d_backward(%s, %s, %s)", g, value(x), literals(node));
      default ->
          adjoints.fresh(
              x,
              "torch.max_pool2d_with_indices_backward(%s, %s, %s, %s)",
              g,
              value(x),
              literals(node),
              save(ForwardText.indices(node.id())));
    }
  }

  /** The gradient of a mean over all positions: the same at each. */
  private void spread(int x, String g, long[] in) {
    share(x, "torch.expand(%s / %d, [-1, %d, %d, %d])", g, in[2] * in[3], in[1], in[2], in[3]);
  }

  private static String literals(Node node) {
    return String.join(", ", node.operands().stream().skip(1).map(ForwardText::text).toList());
  }

  private void shapes(Node node, String g) {
    switch (node.operator()) {
      case "transpose" ->
          share(node.input(), "torch.transpose(%s, %s, %s)", g, node.literal(1), node.literal(2));
      case "narrow" -> narrow(node, g);
      case "constant_pad_nd" -> {
        List<String> back = new ArrayList<>();
        for (long side : node.numbers(1)) {
          back.add(Long.toString(-side));
        }
        adjoints.fresh(node.input(), "torch.constant_pad_nd(%s, [%s])", g, String.join(", ", back));
      }
      default -> joined(node, g);
    }
  }

  private void narrow(Node node, String g) {
    int dim = (int) node.number(1);
    long[] in = shapes.get(node.input());
    long before = node.number(2);
    long after = in[dim] - before - node.number(3);
    List<String> sides = new ArrayList<>();
    for (int d = in.length - 1; d > dim; d--) {
      sides.add("0, 0");
    }
    sides.add(before + ", " + after);
    adjoints.fresh(node.input(), "torch.constant_pad_nd(%s, [%s])", g, String.join(", ", sides));
  }

  private void joined(Node node, String g) {
    int dim = (int) node.number(1);
    List<Operand> items = ((Operand.Items) node.operands().get(0)).operands();
    long offset = 0;
    for (int i = 0; i < items.size(); i++) {
      if (!(items.get(i) instanceof Operand.Value(int id))) {
        throw new Graph.Unsupported("it joins weights to what depends on the images");
      }
      if (node.is("stack")) {
        share(id, "torch.select(%s, %d, %d)", g, dim, i);
      } else {
        long[] in = shapes.get(id);
        long length = in[dim < 0 ? dim + in.length : dim];
        share(id, "torch.narrow(%s, %d, %d, %d)", g, dim, offset, length);
        offset += length;
      }
    }
  }
}
