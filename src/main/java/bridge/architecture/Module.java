package bridge.architecture;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * A piece of a network: its own parameters and buffers, then its children, in the order in which
 * they are registered, which is the order of PyTorch's state_dict.
 */
public abstract class Module {
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();
  private final List<Tensor> constants = new ArrayList<>();
  private final Map<String, Module> children = new LinkedHashMap<>();
  private boolean training = true;
  private Consumer<Tensor> tap;

  /** What the module computes; called through {@link #apply} only. */
  protected abstract Tensor forward(Tensor x);

  /**
   * The module's output, which the caller may change in place. Whoever tapped the module is shown
   * it unchanged.
   */
  public final Tensor apply(Tensor x) {
    Tensor y = forward(x);
    if (tap == null) {
      return y;
    }
    tap.accept(y);
    return y.copy();
  }

  /** Registers what is trained and saved; it gets gradients from now on. */
  protected final Tensor parameter(String name, Tensor value) {
    parameters.put(name, value.requiresGrad_(true));
    return value;
  }

  /** Registers what is saved but not trained. */
  protected final Tensor buffer(String name, Tensor value) {
    buffers.put(name, value);
    return value;
  }

  /** Registers what is neither, but must move and last with the network. */
  protected final Tensor constant(Tensor value) {
    constants.add(value);
    return value;
  }

  /** Registers a piece under its part of the path. */
  protected final <M extends Module> M child(String name, M module) {
    children.put(name, module);
    return module;
  }

  /** Whether it is in training mode, as it is at first. */
  public final boolean training() {
    return training;
  }

  /** Switches this module and all below it to training or evaluation. */
  public final void train(boolean on) {
    training = on;
    children.values().forEach(m -> m.train(on));
  }

  /** Who is shown the next outputs; null for nobody. */
  public final void tap(Consumer<Tensor> listener) {
    tap = listener;
  }

  /** This module under the empty path and all below it, parents first. */
  public final Map<String, Module> modules() {
    Map<String, Module> all = new LinkedHashMap<>();
    walk("", all::put);
    return all;
  }

  /** What is trained, by state_dict name. */
  public final Map<String, Tensor> parameters() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    walk("", (path, m) -> m.parameters.forEach((name, t) -> all.put(join(path, name), t)));
    return all;
  }

  /** What is saved but not trained, by state_dict name. */
  public final Map<String, Tensor> buffers() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    walk("", (path, m) -> m.buffers.forEach((name, t) -> all.put(join(path, name), t)));
    return all;
  }

  /** What is neither trained nor saved. */
  public final List<Tensor> constants() {
    List<Tensor> all = new ArrayList<>();
    walk("", (_, m) -> all.addAll(m.constants));
    return all;
  }

  /** Parameters and buffers in PyTorch's order. */
  public final Map<String, Tensor> stateDict() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    walk(
        "",
        (path, m) -> {
          m.parameters.forEach((name, t) -> all.put(join(path, name), t));
          m.buffers.forEach((name, t) -> all.put(join(path, name), t));
        });
    return all;
  }

  private void walk(String path, BiConsumer<String, Module> visit) {
    visit.accept(path, this);
    children.forEach((name, m) -> m.walk(join(path, name), visit));
  }

  private static String join(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }
}
