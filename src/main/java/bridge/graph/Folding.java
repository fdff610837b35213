package bridge.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A graph whose batch normalisations went into the convolutions before them, and how its weights
 * follow from the network's.
 *
 * <p>In evaluation mode batch normalisation is k · (x − mean) + bias with k = weight / √(var + ε),
 * so a convolution before it takes k into its weights. A normalisation whose input is needed
 * elsewhere, or is no convolution's result, stays.
 *
 * @param graph its weights are those of {@code derived}, then those of the network
 * @param derived TorchScript expressions over the network's weights {@code w[i]}
 */
record Folding(Graph graph, List<String> derived) {
  /** Which operand of a convolution is its kernel's height and width. */
  static final int KERNEL = 7;

  /**
   * Which operand a convolution of few channels has its weights as a matrix in, and a batch
   * normalisation that stayed its k.
   */
  private static final int EXTRA = 8;

  /** Convolutions of so few channels have their input's gradient by a product of matrices. */
  private static final int NARROW = 4;

  /**
   * Folds.
   *
   * @param kept values that somebody wants to see, which therefore stay
   * @param shapes of the values
   */
  static Folding of(Graph graph, Set<Integer> kept, Map<Integer, long[]> shapes) {
    return new Work(graph, kept, shapes).fold();
  }

  /** The operand that a node has beyond PyTorch's: see {@link #EXTRA}. */
  static Operand extra(Node node) {
    return node.operands().get(EXTRA);
  }

  static boolean hasExtra(Node node) {
    return node.operands().size() > EXTRA;
  }

  private static final class Work {
    private final Graph graph;
    private final Map<Integer, long[]> shapes;
    private final Map<Integer, Node> folded = new HashMap<>();
    private final Set<Integer> gone = new HashSet<>();
    private final List<String> derived = new ArrayList<>();
    private final boolean channelsLast;

    Work(Graph graph, Set<Integer> kept, Map<Integer, long[]> shapes) {
      this.graph = graph;
      this.shapes = shapes;
      Map<Integer, Integer> uses = graph.uses();
      Map<Integer, Node> producers = graph.producers();
      for (Node node : graph.nodes()) {
        Node before = node.is("batch_norm") ? producers.get(node.input()) : null;
        if (before != null
            && before.is("conv2d")
            && uses.get(before.id()) == 1
            && !kept.contains(before.id())) {
          folded.put(node.id(), before);
          gone.add(before.id());
        }
      }
      // up to three convolutions run faster as they are
      channelsLast = graph.nodes().stream().filter(node -> node.is("conv2d")).count() > 3;
    }

    Folding fold() {
      List<Node> nodes = new ArrayList<>();
      for (Node node : graph.nodes()) {
        if (folded.containsKey(node.id())) {
          nodes.add(folded(folded.get(node.id()), node));
        } else if (!gone.contains(node.id())) {
          nodes.add(
              switch (node.operator()) {
                case "conv2d" -> convolution(node, weight(node, 1), node.operands().get(2));
                case "batch_norm" -> normalisation(node);
                default -> node;
              });
        }
      }
      List<Node> shifted = nodes.stream().map(this::shift).toList();
      return new Folding(new Graph(shifted, graph.output(), graph.weights()), derived);
    }

    private static String weight(Node node, int index) {
      return node.isNone(index)
          ? "None"
          : "w[%d]".formatted(((Operand.Weight) node.operands().get(index)).index());
    }

    /** The weights derived come first, so the network's own move on; -i-1 stands for derived i. */
    private Node shift(Node node) {
      return new Node(
          node.id(), node.operator(), node.operands().stream().map(this::shift).toList());
    }

    private Operand shift(Operand operand) {
      return switch (operand) {
        case Operand.Weight(int index) ->
            new Operand.Weight(index < 0 ? -index - 1 : index + derived.size());
        case Operand.Items(List<Operand> items) ->
            new Operand.Items(items.stream().map(this::shift).toList());
        case Operand.Value _, Operand.Literal _ -> operand;
      };
    }

    private Operand derive(String expression) {
      derived.add(expression);
      return new Operand.Weight(-derived.size());
    }

    private static String scale(Node norm) {
      String root = "torch.rsqrt(%s + %s)".formatted(weight(norm, 4), norm.literal(7));
      return norm.isNone(1) ? root : "(%s * %s)".formatted(weight(norm, 1), root);
    }

    private Node folded(Node conv, Node norm) {
      String k = scale(norm);
      String weight = "(%s * torch.reshape(%s, [-1, 1, 1, 1]))".formatted(weight(conv, 1), k);
      String mean = weight(norm, 3);
      String centre =
          conv.isNone(2) ? "(-%s)".formatted(mean) : "(%s - %s)".formatted(weight(conv, 2), mean);
      String bias =
          norm.isNone(2)
              ? "%s * %s".formatted(centre, k)
              : "%s + %s * %s".formatted(weight(norm, 2), centre, k);
      return convolution(new Node(norm.id(), "conv2d", conv.operands()), weight, derive(bias));
    }

    private Node convolution(Node conv, String weight, Operand bias) {
      long[] sizes = graph.weights().get(((Operand.Weight) conv.operands().get(1)).index()).sizes();
      Operand laidOut =
          channelsLast
              ? derive(channelsLast(weight, sizes))
              : weight.startsWith("w[") ? conv.operands().get(1) : derive(weight);
      List<Operand> operands = new ArrayList<>(conv.operands().subList(0, 7));
      operands.set(1, laidOut);
      operands.set(2, bias);
      operands.add(new Operand.Literal("[%d, %d]".formatted(sizes[2], sizes[3])));
      if (isNarrow(conv)) {
        operands.add(
            derive(
                "torch.reshape(torch.contiguous(%s), [%d, -1])"
                    .formatted(weight, shapes.get(conv.id())[1])));
      }
      return new Node(conv.id(), "conv2d", operands);
    }

    /**
     * One channel alone is channels last in any layout, and libtorch then takes the other: the
     * strides must say it.
     */
    private static String channelsLast(String weight, long[] sizes) {
      return sizes[1] == 1
          ? "torch.as_strided(torch.contiguous(%s), [%d, 1, %d, %d], [%d, 1, %d, 1])"
              .formatted(weight, sizes[0], sizes[2], sizes[3], sizes[2] * sizes[3], sizes[3])
          : "torch.contiguous(%s, memory_format=2)".formatted(weight);
    }

    private boolean isNarrow(Node conv) {
      return shapes.get(conv.input())[1] <= NARROW && conv.number(6) == 1;
    }

    private Node normalisation(Node norm) {
      List<Operand> operands = new ArrayList<>(norm.operands().subList(0, EXTRA));
      String channels = shapes.get(norm.id()).length == 4 ? "[1, -1, 1, 1]" : "[1, -1]";
      operands.add(derive("torch.reshape(%s, %s)".formatted(scale(norm), channels)));
      return new Node(norm.id(), "batch_norm", operands);
    }
  }
}
