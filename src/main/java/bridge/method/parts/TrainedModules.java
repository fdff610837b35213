package bridge.method.parts;

import bridge.architecture.Module;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** The modules that a method trains beside the student, each under its name in the saved state. */
public final class TrainedModules {
  /** Counts batches for an average over all of them, which nobody here takes. */
  private static final String COUNTER = "num_batches_tracked";

  private final Map<String, Module> modules = new LinkedHashMap<>();

  public <M extends Module> M add(String name, M module) {
    modules.put(name, module);
    return module;
  }

  /** What is trained. */
  public Map<String, Tensor> parameters() {
    return named(Module::parameters);
  }

  /** Parameters and running statistics. */
  public Map<String, Tensor> state() {
    Map<String, Tensor> all = named(Module::stateDict);
    all.keySet().removeIf(name -> name.endsWith(COUNTER));
    return all;
  }

  private Map<String, Tensor> named(Function<Module, Map<String, Tensor>> tensors) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    modules.forEach(
        (name, module) -> tensors.apply(module).forEach((key, t) -> all.put(name + "." + key, t)));
    return all;
  }
}
