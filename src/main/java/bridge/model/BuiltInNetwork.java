package bridge.model;

import bridge.UsageException;
import bridge.architecture.Architecture;
import bridge.architecture.BatchNorm2d;
import bridge.architecture.Module;
import bridge.graph.Compiler;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Stream;

/** A network of {@link bridge.architecture}, with a normalisation before it. */
final class BuiltInNetwork implements Network {
  private final String name;
  private final int classes;
  private final Architecture root;
  private final Normalisation.Constants normalisation;
  private final Device device;
  private final Map<String, Module> modules;
  private final Map<String, Tensor> parameters;
  private final Map<String, Tensor> buffers;
  private final Map<String, Tensor> stateDict;

  BuiltInNetwork(
      String name,
      int classes,
      Architecture root,
      Normalisation.Constants normalisation,
      Device device) {
    this.name = name;
    this.classes = classes;
    this.root = root;
    this.normalisation = normalisation;
    this.device = device;
    this.modules = root.modules();
    this.modules.remove("");
    this.parameters = Collections.unmodifiableMap(root.parameters());
    this.buffers = Collections.unmodifiableMap(root.buffers());
    this.stateDict = Collections.unmodifiableMap(root.stateDict());
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String normalisation() {
    return normalisation.text() + root.normalisation();
  }

  @Override
  public int classes() {
    return classes;
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Map<String, Tensor> tapped = new LinkedHashMap<>();
    for (String path : features) {
      Module module = modules.get(path);
      if (module == null) {
        throw new UsageException(
            "%s has no submodule %s; there are %s".formatted(name, path, modules.keySet()));
      }
      module.tap(y -> tapped.put(path, y));
    }
    // what no gradient needs is freed when the network is done, not when the whole step is
    try (Scope scope = Scope.open("forward")) {
      Tensor logits = scope.keep(root.apply(normalisation.apply(images)));
      tapped.values().forEach(scope::keep);
      return new Outputs(logits, tapped);
    } finally {
      features.forEach(path -> modules.get(path).tap(null));
    }
  }

  @Override
  public String penultimate() {
    return root.penultimate();
  }

  @Override
  public List<String> modules() {
    return List.copyOf(modules.keySet());
  }

  @Override
  public Map<String, Tensor> parameters() {
    return parameters;
  }

  @Override
  public Map<String, Tensor> buffers() {
    return buffers;
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return stateDict;
  }

  @Override
  public List<Tensor> constants() {
    return Stream.concat(root.constants().stream(), normalisation.tensors().stream()).toList();
  }

  @Override
  public Compiler compiler(Scope home, Tensor images) {
    List<Tensor> weights =
        Stream.concat(stateDict.values().stream(), constants().stream()).toList();
    return Compiler.record(home, this::logits, images, weights);
  }

  @Override
  public boolean training() {
    return root.training();
  }

  @Override
  public OptionalDouble statisticsMomentum() {
    return OptionalDouble.of(BatchNorm2d.MOMENTUM);
  }

  @Override
  public void train(boolean on) {
    root.train(on);
  }

  @Override
  public Device device() {
    return device;
  }

  @Override
  public String toString() {
    return name;
  }
}
