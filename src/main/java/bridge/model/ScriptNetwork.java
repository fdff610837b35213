package bridge.model;

import bridge.UsageException;
import bridge.graph.Compiler;
import bridge.graph.Graph;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NativeException;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.ScriptModule;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A network from a TorchScript file, for inference and for training. Features are tapped at any
 * submodule the file has, without a new export.
 */
final class ScriptNetwork implements Network {
  private final String name;
  private final ScriptModule module;
  private final Normalisation.Constants normalisation;
  private final Device device;
  private final Optional<String> penultimate;
  private final int classes;
  private boolean training;

  private ScriptNetwork(
      ModelSpec.ModelFile spec,
      ScriptModule module,
      Normalisation.Constants normalisation,
      Device device,
      int classes,
      Optional<String> feature) {
    this.name = spec.text();
    this.module = module;
    this.normalisation = normalisation;
    this.device = device;
    this.classes = classes;
    this.training = module.training();
    this.penultimate = feature.or(module::beforeLastLinear);
  }

  /**
   * Loads the file in the caller's scope, in the mode it was saved in, and runs it once on black
   * images of the data's shape.
   *
   * @param feature the submodule whose output is the feature; empty for the one before the last
   *     linear layer
   * @throws UsageException if it is no TorchScript, does not take such images, or does not give one
   *     row of logits per image with as many as the data has classes
   */
  static Network load(
      ModelSpec.ModelFile spec,
      int channels,
      int classes,
      int imageSize,
      Normalisation normalisation,
      Device device,
      Optional<String> feature) {
    ScriptModule module = ScriptModule.load(spec.file(), device);
    ScriptNetwork network =
        new ScriptNetwork(
            spec, module, normalisation.on(device, channels), device, classes, feature);
    network.check(channels, imageSize);
    return network;
  }

  private void check(int channels, int imageSize) {
    try (Scope _ = Scope.open("check");
        NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(this)) {
      Tensor images = Tensor.zeros(DType.FLOAT32, device, 2, channels, imageSize, imageSize);
      Tensor logits;
      try {
        logits = logits(images);
      } catch (NativeException e) {
        throw new UsageException(
            "TorchScript file %s does not take the data's images %s: %s"
                .formatted(name, Arrays.toString(images.sizes()), e.getMessage()),
            e);
      }
      if (logits.dim() != 2 || logits.size(0) != 2 || logits.dtype() != DType.FLOAT32) {
        throw new UsageException(
            "TorchScript file %s gives %s %s for 2 images, expected logits FLOAT32 [2, %d]"
                .formatted(name, logits.dtype(), Arrays.toString(logits.sizes()), classes));
      }
      if (logits.size(1) != classes) {
        throw new UsageException(
            "TorchScript file %s gives %d classes, the data has %d"
                .formatted(name, logits.size(1), classes));
      }
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String normalisation() {
    return normalisation.text();
  }

  @Override
  public int classes() {
    return classes;
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Map<String, Tensor> all = module.forward(normalisation.apply(images), features);
    Map<String, Tensor> tapped = new LinkedHashMap<>();
    features.forEach(path -> tapped.put(path, all.get(path)));
    return new Outputs(all.get(""), tapped);
  }

  /** What the card beside the file names, else the module called before the last linear layer. */
  @Override
  public String penultimate() {
    return penultimate.orElseThrow(
        () ->
            new UsageException(
                "TorchScript file %s has no linear layer to find the feature before; name a submodule, there are %s"
                    .formatted(name, modules())));
  }

  @Override
  public List<String> modules() {
    return module.modules();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return Collections.unmodifiableMap(module.parameters());
  }

  @Override
  public Map<String, Tensor> buffers() {
    return Collections.unmodifiableMap(module.buffers());
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return Collections.unmodifiableMap(module.stateDict());
  }

  @Override
  public List<Tensor> constants() {
    return normalisation.tensors();
  }

  @Override
  public Compiler compiler(Scope home, Tensor images) {
    String frozen;
    try {
      frozen = module.frozenGraph();
    } catch (NativeException e) {
      throw new Graph.Unsupported("libtorch cannot freeze it: " + e.getMessage());
    }
    return Compiler.read(home, frozen, images, module.stateDict(), normalisation.tensors());
  }

  @Override
  public boolean training() {
    return training;
  }

  @Override
  public void train(boolean on) {
    module.train(on);
    training = on;
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
