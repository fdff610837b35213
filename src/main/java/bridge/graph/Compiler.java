package bridge.graph;

import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.ScriptFunction;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Makes programs of one network: follows it once with some images, which tells the shapes of all
 * values and, by what they are, which of them a feature is.
 */
public final class Compiler {
  private static final double SAME = 1e-5;

  private final Scope home;
  private final Graph graph;
  private final Tensor images;
  private final Map<Integer, long[]> shapes = new HashMap<>();

  private Compiler(Scope home, Graph graph, Tensor images) {
    this.home = home;
    this.graph = Canonical.of(graph);
    this.images = home.adopt(images);
    try (Scope _ = Scope.open("shapes")) {
      List<Tensor> values = values();
      List<Integer> ids = ids();
      for (int i = 0; i < ids.size(); i++) {
        shapes.put(ids.get(i), values.get(i).sizes());
      }
    }
  }

  /**
   * Follows a network that is made of our own operations.
   *
   * @param home the scope that programs live as long as
   * @param images random ones, in the innermost scope, a few of them
   * @param weights all tensors that the network may use
   * @throws Graph.Unsupported if it cannot be followed
   */
  public static Compiler record(
      Scope home, UnaryOperator<Tensor> network, Tensor images, Collection<Tensor> weights) {
    try (NoGrad _ = NoGrad.enter()) {
      return new Compiler(home, Recorder.record(network, images, weights), images);
    }
  }

  /**
   * Reads a frozen TorchScript module, as {@link bridge.torch.ScriptModule#frozenGraph} prints it.
   *
   * @param weights the module's parameters and buffers by path
   * @param normalisation mean and deviation that the images are normalised by first; none if empty
   * @throws Graph.Unsupported if it has what is not understood
   */
  public static Compiler read(
      Scope home,
      String frozen,
      Tensor images,
      Map<String, Tensor> weights,
      List<Tensor> normalisation) {
    return new Compiler(home, ScriptReader.read(frozen, weights, normalisation), images);
  }

  private List<Integer> ids() {
    List<Integer> ids = new ArrayList<>(List.of(0));
    graph.nodes().forEach(node -> ids.add(node.id()));
    return ids;
  }

  /** All values for the images, by {@link #ids}; nothing is folded or overwritten. */
  private List<Tensor> values() {
    List<String> names = ids().stream().map(ForwardText::name).toList();
    String text = new ForwardText(graph, null, new HashSet<>(ids())).function("values", names);
    try (NoGrad _ = NoGrad.enter()) {
      return ScriptFunction.compile("values", text).call(List.of(images, graph.weights()));
    }
  }

  /** A program with the images' gradient. */
  public Program program() {
    try (Scope _ = Scope.open("compile")) {
      return new Program(home, graph, shapes, List.of(), true);
    }
  }

  /**
   * A program that gives features beside the logits.
   *
   * @param features what they are for {@link #images}
   * @throws Graph.Unsupported if one of them is no value of the graph
   */
  public Program program(List<Tensor> features) {
    try (Scope _ = Scope.open("compile")) {
      List<Tensor> values = values();
      List<Integer> taps = features.stream().map(f -> find(f, values)).toList();
      return new Program(home, graph, shapes, taps, false);
    }
  }

  /** The images that the network was followed with. */
  public Tensor images() {
    return images;
  }

  private int find(Tensor feature, List<Tensor> values) {
    List<Integer> ids = ids();
    // the last one: what is equal before and after a step that does nothing is the same value
    for (int i = ids.size() - 1; i >= 0; i--) {
      Tensor value = values.get(i);
      if (Arrays.equals(value.sizes(), feature.sizes())
          && value.sub(feature).abs().max().item() <= SAME * feature.abs().max().item()) {
        return ids.get(i);
      }
    }
    throw new Graph.Unsupported("a feature is no value that is computed on the way");
  }
}
