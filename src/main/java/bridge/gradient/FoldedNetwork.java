package bridge.gradient;

import bridge.graph.Compiler;
import bridge.graph.Graph;
import bridge.graph.Program;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.NativeException;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Shards;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A network that, in evaluation mode, works by compiled programs ({@link Program}) and on parts of
 * a batch at the same time ({@link Shards}): when it is asked without gradients, and when {@link
 * Objective} asks for the gradient of images. In training mode, and where autograd records, it is
 * the network it was made of.
 *
 * <p>Whether the programs compute the same is tried on random images when they are made; where they
 * do not, or the network cannot be followed, only the division into parts is left.
 */
public final class FoldedNetwork extends NetworkDecorator implements AutoCloseable {
  /** What float32 rounding may come to. */
  private static final double TOLERANCE = 1e-5;

  private static final double KINK = 0.2;

  /**
   * Multiplications of a forward pass. With 1.6e8 one thread is as fast as two on idle cores, and
   * twice as fast beside another process; with 3.3e8 two are 12 % faster, and 8 to 18 % slower.
   */
  private static final long SMALL = 250_000_000;

  private static final double TINY = 1e-30;

  private final Network network;
  private final int shard;
  private final Scope home;
  private final Thread maker = Thread.currentThread();
  private final Map<List<String>, Optional<Program>> tapped = new HashMap<>();
  private Optional<Compiler> compiler = Optional.empty();
  private Optional<Program> program = Optional.empty();
  private Optional<GraphedClimb> graphs = Optional.empty();

  private FoldedNetwork(Network network, int shard, Scope home) {
    super(network);
    this.network = network;
    this.shard = shard;
    this.home = home;
  }

  /**
   * Compiles a network, for the innermost scope's life.
   *
   * @param imageShape C, H, W
   * @param shard the most images of a part of a batch; 0 for no division
   * @param log told, in a line, why the network is left as it is, if it is
   */
  public static FoldedNetwork of(
      Network network, long[] imageShape, int shard, Consumer<String> log) {
    FoldedNetwork folded = new FoldedNetwork(network, shard, Scope.innermost());
    try (Scope _ = Scope.open("fold");
        Mode _ = Mode.eval(network)) {
      folded.compile(imageShape);
    } catch (Graph.Unsupported | NativeException e) {
      log.accept(
          "%s runs as it is, its batch normalisation unfolded: %s"
              .formatted(network.name(), e.getMessage()));
    }
    return folded;
  }

  private void compile(long[] shape) {
    Tensor three = images(3, shape);
    Compiler made = network.compiler(home, three);
    Program compiled = made.program();
    // another number of images: nothing in the program may depend on the first
    for (Tensor images : List.of(three, images(5, shape))) {
      compare(compiled, images);
    }
    compiler = Optional.of(made);
    program = Optional.of(compiled);
  }

  private Tensor images(long count, long[] shape) {
    Generator random = Generator.on(device(), 20_240_211 + count);
    return Tensor.uniform(0, 1, random, device(), count, shape[0], shape[1], shape[2]);
  }

  private void compare(Program compiled, Tensor images) {
    try (Scope _ = Scope.open("compare")) {
      Tensor x = images.detach().requiresGrad_(true);
      Tensor logits = network.logits(x);
      Tensor weights =
          Tensor.randn(Generator.on(device(), 7), device(), logits.size(0), logits.size(1));
      Tensor gradient = logits.mul(weights).sum().gradient(x);
      Program.Pass pass = compiled.forward(images);
      sameLogits(logits.detach(), pass.logits());
      sameLogits(logits.detach(), compiled.infer(images).get(0));
      sameGradients(gradient, compiled.backward(pass, weights));
    }
  }

  /** Whether logits are the same up to rounding. */
  private static void sameLogits(Tensor plain, Tensor folded) {
    double worst = Arrays.stream(differences(plain, folded)).max().orElseThrow();
    if (!(worst <= TOLERANCE)) {
      throw new Graph.Unsupported(
          "folded, its logits differ by %.1e of their length".formatted(worst));
    }
  }

  /**
   * Whether gradients are the same. Where rounding moves an activation across its kink, the
   * gradient of that image jumps; so one image must be the same up to rounding, and the others
   * near.
   */
  private static void sameGradients(Tensor plain, Tensor folded) {
    double[] differences = differences(plain, folded);
    double best = Arrays.stream(differences).min().orElseThrow();
    double worst = Arrays.stream(differences).max().orElseThrow();
    if (!(best <= TOLERANCE && worst <= KINK)) {
      throw new Graph.Unsupported(
          "folded, its gradients differ by %.1e to %.1e of their length".formatted(best, worst));
    }
  }

  /** Of each image, in the Euclidean norm, relative to the plain one's. */
  private static double[] differences(Tensor plain, Tensor folded) {
    try (NoGrad _ = NoGrad.enter()) {
      Tensor difference = folded.sub(plain).flatten(1).norm2Keep(1);
      return difference.div(plain.flatten(1).norm2Keep(1).clampMin(TINY)).toDoubles();
    }
  }

  /**
   * Whether a training step on so many images is too little work for several threads to share an
   * operation: their waiting for each other would take longer.
   */
  public boolean isSmallFor(long images) {
    return shard > 0 && program.isPresent() && program.get().multiplications() * images <= SMALL;
  }

  /** Has attacks record their steps and replay them from now on. */
  FoldedNetwork withGraphs(Recorder recorder) {
    graphs = Optional.of(new GraphedClimb(recorder));
    return this;
  }

  /** What replays steps; empty where they are not to be recorded. */
  Optional<Climb> graphs() {
    return graphs.map(climb -> climb);
  }

  /** Forgets what was recorded; its memory is the device's. */
  @Override
  public void close() {
    graphs.ifPresent(GraphedClimb::close);
  }

  /** Whether it has a program now, so that gradients need no autograd. */
  boolean isCompiled() {
    return program.isPresent() && !training();
  }

  /** The program with the network's weights as they are now. */
  Program program() {
    Program current = program.orElseThrow();
    current.refresh();
    return current;
  }

  /** The most images of a part; empty where a batch is not to be divided now. */
  Optional<Integer> shard() {
    return shard == 0 || training() ? Optional.empty() : Optional.of(shard);
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    if (training() || !NoGrad.isActive()) {
      return network.forward(images, features);
    }
    return tapped(features)
        .map(compiled -> outputs(compiled, images, features))
        .orElseGet(() -> network.forward(images, features));
  }

  @Override
  public Later later(Tensor images, List<String> features) {
    // undivided, on CUDA above all, it is not begun on another thread: an attack may be recorded
    Optional<Program> compiled = training() || shard == 0 ? Optional.empty() : tapped(features);
    return compiled.isEmpty()
        ? super.later(images, features)
        : begin(compiled.get(), images, features);
  }

  private Outputs outputs(Program compiled, Tensor images, List<String> features) {
    if (shard == 0 || images.size(0) == 0) {
      compiled.refresh();
      return named(compiled.infer(images), features);
    }
    return begin(compiled, images, features).await();
  }

  /** The results are there at once, and filled part by part. */
  private Later begin(Program compiled, Tensor images, List<String> features) {
    compiled.refresh();
    List<Tensor> results =
        compiled.shapes(images.size(0)).stream()
            .map(shape -> Tensor.empty(DType.FLOAT32, device(), shape))
            .toList();
    Shards.Pending pending =
        Shards.start(
            images.size(0),
            shard,
            (first, length) -> {
              List<Tensor> part = compiled.infer(images.narrow(0, first, length));
              try (NoGrad _ = NoGrad.enter()) {
                for (int i = 0; i < part.size(); i++) {
                  results.get(i).narrow(0, first, length).copy_(part.get(i));
                }
              }
            });
    Outputs outputs = named(results, features);
    return () -> {
      pending.await();
      return outputs;
    };
  }

  private static Outputs named(List<Tensor> results, List<String> features) {
    Map<String, Tensor> tapped = new LinkedHashMap<>();
    for (int i = 0; i < features.size(); i++) {
      tapped.put(features.get(i), results.get(i + 1));
    }
    return new Outputs(results.get(0), tapped);
  }

  /** A program that gives these features, made when they are first asked for. */
  private synchronized Optional<Program> tapped(List<String> features) {
    if (features.isEmpty() || compiler.isEmpty()) {
      return program;
    }
    if (!tapped.containsKey(features) && Thread.currentThread() == maker) {
      tapped.put(features, compile(features));
    }
    return tapped.getOrDefault(features, Optional.empty());
  }

  private Optional<Program> compile(List<String> features) {
    Compiler made = compiler.orElseThrow();
    try (Scope _ = Scope.open("taps");
        NoGrad _ = NoGrad.enter()) {
      Map<String, Tensor> expected = network.forward(made.images(), features).features();
      Program compiled = made.program(features.stream().map(expected::get).toList());
      return Optional.of(compiled);
    } catch (Graph.Unsupported | NativeException e) {
      return Optional.empty();
    }
  }
}
