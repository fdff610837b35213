package bridge.torch;

import bridge.UsageException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Graph;
import org.bytedeco.pytorch.GraphExecutor;
import org.bytedeco.pytorch.GraphFunction;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.JitNode;
import org.bytedeco.pytorch.NamedTensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A TorchScript module of one tensor in, one tensor out: run, trained, and tapped at any submodule.
 *
 * <p>It runs in libtorch's plain interpreter. The profiling executor would rewrite the program
 * after its first calls, and a run would then not repeat bit by bit after a restart.
 *
 * <p>A tap makes a copy of the graph of {@code forward} in which the calls on the way to the
 * submodule are replaced by what they call, and the submodule's result is one more output. The
 * computation stays the same. What the module holds belongs to the scope it was loaded in.
 */
public final class ScriptModule {
  private static final Comparator<String> OUTER_FIRST =
      Comparator.<String>comparingLong(path -> path.chars().filter(c -> c == '.').count())
          .thenComparing(Comparator.naturalOrder());

  private static final Pattern ATTRIBUTE =
      Pattern.compile(" *%([\\w.]+) : (\\S+) = prim::GetAttr\\[name=\"([^\"]+)\"]\\(%([\\w.]+)\\)");
  private static final Pattern CALL =
      Pattern.compile(
          "( *)%([\\w.]+) : .+ = prim::CallMethod\\[name=\"([^\"]+)\"]\\(%([\\w.]+)[,)]");

  private final String name;
  private final Scope home;
  private final Map<String, JitModule> modules = new LinkedHashMap<>();
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();
  private final Map<String, Tensor> stateDict = new LinkedHashMap<>();
  private final Map<List<String>, GraphExecutor> executors = new HashMap<>();
  private final JitModule root;
  private final IValue self;

  private ScriptModule(String name, Scope home, JitModule root) {
    this.name = name;
    this.home = home;
    this.root = home.adopt(root);
    this.self = home.adopt(new IValue(root._ivalue()));
    findModules();
    modules.forEach(this::findTensors);
  }

  /**
   * Reads a file that {@code torch.jit.save} wrote, onto a device.
   *
   * @throws UsageException if it is none
   */
  public static ScriptModule load(Path file, Device device) {
    Scope home = Scope.innermost();
    torch.getProfilingMode().put(false);
    String name = file.toString();
    try (Scope _ = Scope.open("load")) {
      DeviceOptional there = new DeviceOptional(device.pointer());
      return new ScriptModule(name, home, Tensor.call(() -> torch.load(name, there, false)));
    } catch (NativeException e) {
      throw new UsageException(
          "file %s cannot be loaded as TorchScript: %s; write it with torch.jit.save, or name a checkpoint as ARCH@%s"
              .formatted(name, e.getMessage(), name),
          e);
    }
  }

  // The presets' iterators cannot be compared with their end: the sizes say how far they go.

  private void findModules() {
    var list = root.named_modules();
    var at = list.begin();
    for (long i = 0; i < list.size(); i++) {
      var entry = at.access();
      modules.put(text(entry.name()), home.adopt(new JitModule(entry.value())));
      at.increment();
    }
  }

  private void findTensors(String path, JitModule module) {
    var own = module.named_parameters(false);
    var parameter = own.begin();
    for (long i = 0; i < own.size(); i++) {
      put(parameters, path, parameter.access()).requiresGrad_(true);
      parameter.increment();
    }
    var kept = module.named_buffers(false);
    var buffer = kept.begin();
    for (long i = 0; i < kept.size(); i++) {
      put(buffers, path, buffer.access());
      buffer.increment();
    }
  }

  private Tensor put(Map<String, Tensor> kind, String path, NamedTensor entry) {
    String key = join(path, text(entry.name()));
    Tensor tensor = home.adopt(Tensor.wrap(new org.bytedeco.pytorch.Tensor(entry.value())));
    kind.put(key, tensor);
    stateDict.put(key, tensor);
    return tensor;
  }

  /** The presets give null for an empty text. */
  private static String text(BytePointer pointer) {
    return pointer == null ? "" : pointer.getString();
  }

  private static String join(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  /** The paths of all submodules, parents first. */
  public List<String> modules() {
    return modules.keySet().stream().filter(path -> !path.isEmpty()).toList();
  }

  /** What is trained, by state_dict name. */
  public Map<String, Tensor> parameters() {
    return parameters;
  }

  /** What is saved but not trained, by state_dict name. */
  public Map<String, Tensor> buffers() {
    return buffers;
  }

  /** Parameters and buffers in PyTorch's order: a module's own, then those of its children. */
  public Map<String, Tensor> stateDict() {
    return stateDict;
  }

  /** Whether it is in training mode. */
  public boolean training() {
    return root.is_training();
  }

  /** Switches it and all its submodules to training or evaluation. */
  public void train(boolean on) {
    root.train(on);
  }

  /**
   * The module's output under the empty path, and what the submodules at these paths gave, each at
   * its last call. As with PyTorch's hooks, a module that then works in place changes it.
   *
   * @throws UsageException if there is no such submodule, it is not called, or something is not a
   *     tensor
   */
  public Map<String, Tensor> forward(Tensor input, List<String> taps) {
    try (Scope call = Scope.open("script")) {
      Map<String, Tensor> results = new LinkedHashMap<>();
      IValue x = new IValue(input.pointer);
      if (taps.isEmpty()) {
        results.put("", tensor(Tensor.call(() -> root.forward(new IValueVector(x))), ""));
      } else {
        List<String> order = taps.stream().distinct().sorted(OUTER_FIRST).toList();
        IValueVector stack = new IValueVector(self, x);
        run(executor(order), stack);
        results.put("", tensor(stack.get(0), ""));
        for (int i = 0; i < order.size(); i++) {
          results.put(order.get(i), tensor(stack.get(i + 1), order.get(i)));
        }
      }
      results.values().forEach(call::keep);
      return results;
    }
  }

  /** The text of its graph in evaluation mode; parameters are constants {@code self.PATH}. */
  public String frozenGraph() {
    return FrozenGraph.text(root);
  }

  private static void run(GraphExecutor executor, IValueVector stack) {
    Tensor.call(
        () -> {
          executor.run(stack);
          return null;
        });
  }

  private Tensor tensor(IValue value, String path) {
    if (!value.isTensor()) {
      throw wrong(
          "%s gives a %s, expected one tensor",
          path.isEmpty() ? "the network" : path, text(value.tagKind()));
    }
    return Tensor.wrap(new org.bytedeco.pytorch.Tensor(value.toTensor()));
  }

  private UsageException wrong(String what, Object... values) {
    return new UsageException("TorchScript file " + name + ": " + what.formatted(values));
  }

  // ---- taps --------------------------------------------------------------------------------

  private GraphExecutor executor(List<String> taps) {
    GraphExecutor known = executors.get(taps);
    return known != null ? known : compile(taps);
  }

  private GraphExecutor compile(List<String> taps) {
    Graph graph = root.get_method("forward").graph().copy();
    if (graph.inputs().size() != 2) {
      throw wrong(
          "forward takes %d inputs, features can be had where it takes one",
          graph.inputs().size() - 1);
    }
    // Once registered, an outer submodule's result stays one while the calls inside are opened.
    taps.forEach(path -> graph.registerOutput(node(graph, find(graph, path)).output(0)));
    GraphExecutor executor = home.adopt(new GraphExecutor(graph, "forward"));
    executors.put(taps, executor);
    return executor;
  }

  /** Opens the calls that hide a submodule's own, and gives its last one. */
  private Call find(Graph graph, String path) {
    if (!modules.containsKey(path) || path.isEmpty()) {
      throw wrong("there is no submodule %s; there are %s", path, modules());
    }
    List<Call> calls = calls(graph);
    for (Optional<Call> next = hiding(calls, path); next.isPresent(); next = hiding(calls, path)) {
      open(graph, next.get());
      calls = calls(graph);
    }
    List<Call> own = calls.stream().filter(c -> c.path.equals(path) && c.isForward()).toList();
    if (own.isEmpty()) {
      throw wrong("submodule %s is not called on its own, so it has no feature", path);
    }
    if (own.getLast().inBranch) {
      throw wrong("submodule %s is called in a branch or loop, so it has no feature", path);
    }
    return own.getLast();
  }

  private static Optional<Call> hiding(List<Call> calls, String path) {
    return calls.stream().filter(c -> !c.inBranch && c.hides(path)).findFirst();
  }

  /** Puts the body of the called method in place of the call. */
  private void open(Graph graph, Call call) {
    var method = modules.get(call.path).get_method(call.method);
    torch.inlineCallTo(node(graph, call), new GraphFunction(method.function()), method.graph());
  }

  private static JitNode node(Graph graph, Call call) {
    JitNode end = graph.return_node();
    JitNode node = graph.nodes().front();
    while (!node.equals(end)) {
      if (node.outputs().size() == 1 && text(node.output(0).debugName()).equals(call.result)) {
        return node;
      }
      node = node.next();
    }
    throw new AssertionError("no node gives " + call.result);
  }

  /**
   * A method called on a submodule.
   *
   * @param path of the submodule, from the module whose graph it is
   * @param type of the submodule
   * @param result the name of the value in the graph
   * @param inBranch whether it stands in a block of a branch or loop
   */
  private record Call(String path, String type, String method, String result, boolean inBranch) {

    /** Whether the module itself is applied, not a helper of its own; traced ones are numbered. */
    boolean isForward() {
      return method.matches("forward\\d*");
    }

    /** Whether calls of that submodule may stand in what is called here. */
    boolean hides(String inner) {
      boolean around = path.isEmpty() || inner.startsWith(path + ".");
      return around || inner.equals(path) && !isForward();
    }
  }

  /**
   * Calls in a graph's text, in order. The presets read names of nodes wrongly, the text has them.
   */
  private static List<Call> calls(Graph graph) {
    Map<String, String> paths = new HashMap<>();
    Map<String, String> types = new HashMap<>();
    List<Call> calls = new ArrayList<>();
    paths.put(text(graph.inputs().get(0).debugName()), "");
    for (String line : graph.toString().split("\n")) {
      Matcher attribute = ATTRIBUTE.matcher(line);
      Matcher call = CALL.matcher(line);
      if (attribute.lookingAt() && paths.containsKey(attribute.group(4))) {
        paths.put(attribute.group(1), join(paths.get(attribute.group(4)), attribute.group(3)));
        types.put(attribute.group(1), attribute.group(2));
      } else if (call.lookingAt() && paths.containsKey(call.group(4))) {
        String object = call.group(4);
        boolean inBranch = call.group(1).length() > 2;
        calls.add(
            new Call(
                paths.get(object),
                types.getOrDefault(object, ""),
                call.group(3),
                call.group(2),
                inBranch));
      }
    }
    return calls;
  }

  /**
   * The submodule that is called just before the last linear layer, on the same level or, where the
   * layer comes first in its own, on the level above.
   */
  public Optional<String> beforeLastLinear() {
    try (Scope _ = Scope.open("graph")) {
      return Optional.ofNullable(Tensor.call(() -> beforeLinear("", "forward", null)));
    }
  }

  private String beforeLinear(String path, String method, String outside) {
    String before = outside;
    String found = null;
    for (Call call : calls(modules.get(path).get_method(method).graph())) {
      String inner = call.path.isEmpty() ? path : join(path, call.path);
      String deeper =
          call.type.endsWith(".Linear") ? before : beforeLinear(inner, call.method, before);
      found = deeper == null ? found : deeper;
      before = call.isForward() ? inner : before;
    }
    return found;
  }
}
