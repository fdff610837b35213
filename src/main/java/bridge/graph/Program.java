package bridge.graph;

import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.ScriptFunction;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/**
 * A network's forward pass in evaluation mode, compiled, and the gradient of its images: batch
 * normalisation folded into the convolutions, activations in place, weights laid out channels last,
 * no graph of autograd.
 *
 * <p>The network's weights are taken over by {@link #refresh}; between two of these, several
 * threads may run it at once. It lives as long as the scope it was made for.
 */
public final class Program {

  /** A forward pass that remembers what the way back needs. */
  public static final class Pass {
    private final ScriptFunction.Values values;

    private Pass(ScriptFunction.Values values) {
      this.values = values;
    }

    /** The logits [N, K]. */
    public Tensor logits() {
      return values.get(0);
    }
  }

  private final List<long[]> results = new ArrayList<>();
  private final long multiplications;
  private final List<Tensor> sources;
  private final ScriptFunction derive;
  private final ScriptFunction infer;
  private final ScriptFunction forward;
  private final ScriptFunction backward;
  private final List<Tensor> derived;
  private final ScriptFunction.Values weights;
  private long version;

  /**
   * Compiles.
   *
   * @param graph canonical
   * @param shapes of its values for some batch
   * @param taps values to give beside the logits
   * @param gradient whether the gradient is wanted, too
   * @throws Graph.Unsupported if an operator has no gradient here
   */
  Program(
      Scope home, Graph graph, Map<Integer, long[]> shapes, List<Integer> taps, boolean gradient) {
    Folding folding = Folding.of(graph, new HashSet<>(taps), shapes);
    Graph folded = folding.graph();
    sources = graph.weights();
    multiplications = multiplications(folded, shapes);
    derive =
        ScriptFunction.compile(
            home,
            "derive",
            "def derive(w: List[Tensor]) -> List[Tensor]:\n  return [%s]\n"
                .formatted(String.join(", ", folding.derived())));
    List<String> results = new ArrayList<>(List.of(ForwardText.name(graph.output())));
    taps.forEach(id -> results.add(ForwardText.name(id)));
    infer = compile(home, folded, shapes, taps, results);
    this.results.add(shapes.get(graph.output()));
    taps.forEach(id -> this.results.add(shapes.get(id)));
    if (gradient) {
      BackwardText.Function back = BackwardText.function("back", folded, shapes);
      backward = ScriptFunction.compile(home, "back", back.text());
      List<String> saving = new ArrayList<>(List.of(ForwardText.name(graph.output())));
      saving.addAll(back.saved());
      forward = compile(home, folded, shapes, back.values(), saving);
    } else {
      backward = null;
      forward = null;
    }
    derived = derive();
    derived.forEach(home::adopt);
    version = version();
    List<Tensor> all = new ArrayList<>(derived);
    all.addAll(sources);
    weights = ScriptFunction.Values.of(home, all);
  }

  private static long multiplications(Graph graph, Map<Integer, long[]> shapes) {
    long sum = 0;
    for (Node node : graph.nodes()) {
      if (node.is("conv2d")) {
        long[] kernel = node.numbers(Folding.KERNEL);
        long[] in = shapes.get(node.input());
        long[] out = shapes.get(node.id());
        sum += out[1] * out[2] * out[3] * in[1] / node.number(6) * kernel[0] * kernel[1];
      }
    }
    return sum;
  }

  /** How many multiplications the convolutions of a forward pass take for one image. */
  public long multiplications() {
    return multiplications;
  }

  private static ScriptFunction compile(
      Scope home,
      Graph graph,
      Map<Integer, long[]> shapes,
      List<Integer> kept,
      List<String> results) {
    ForwardText text = new ForwardText(graph, shapes, new HashSet<>(kept));
    return ScriptFunction.compile(home, "forward", text.function("forward", results));
  }

  private List<Tensor> derive() {
    try (NoGrad _ = NoGrad.enter()) {
      return derive.call(List.of(sources));
    }
  }

  /** Changes with every change of the network's weights in place. */
  private long version() {
    return sources.stream().mapToLong(Tensor::version).sum();
  }

  /** Takes over the network's weights, if they have changed. */
  public synchronized void refresh() {
    long now = version();
    if (now == version) {
      return;
    }
    try (Scope _ = Scope.open("refresh");
        NoGrad _ = NoGrad.enter()) {
      List<Tensor> fresh = derive();
      for (int i = 0; i < fresh.size(); i++) {
        derived.get(i).copy_(fresh.get(i));
      }
    }
    version = now;
  }

  /** The shapes of what {@link #infer} gives for so many images. */
  public List<long[]> shapes(long images) {
    return results.stream()
        .map(
            shape -> {
              long[] batch = shape.clone();
              batch[0] = images;
              return batch;
            })
        .toList();
  }

  /** Logits, then the taps, in the innermost scope; records no gradients. */
  public List<Tensor> infer(Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      return infer.call(List.of(images, weights));
    }
  }

  /** The first half of a gradient; its memory belongs to the innermost scope. */
  public Pass forward(Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      return new Pass(forward.values(List.of(images, weights)));
    }
  }

  /**
   * The second half.
   *
   * @param logits the gradient of the logits [N, K]
   * @return that of the images [N, C, H, W]
   */
  public Tensor backward(Pass pass, Tensor logits) {
    try (NoGrad _ = NoGrad.enter()) {
      return backward.apply(List.of(logits, pass.values, weights));
    }
  }
}
