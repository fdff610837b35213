package bridge.model;

import bridge.graph.Compiler;
import bridge.graph.Graph;
import bridge.torch.ComputePrecision;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * A classifier: images in, logits and, on request, features of any of its submodules out.
 *
 * <p>Images are float [N, C, H, W] in [0, 1]; normalisation is part of the network. Logits are
 * float [N, K]. Parameters and buffers carry the names of PyTorch's state_dict, in its order.
 */
public interface Network {

  /** Logits and the features asked for, by the submodule paths asked with. */
  record Outputs(Tensor logits, Map<String, Tensor> features) {}

  /** What the user called it: {@code resnet18}, {@code resnet18@best.pth}, {@code teacher.pt}. */
  String name();

  /** What is done to the images first, in words; empty for nothing, or where it is not known. */
  default String normalisation() {
    return "";
  }

  /** Number of classes K, the width of the logits. */
  int classes();

  /** Logits [N, K]. */
  default Tensor logits(Tensor images) {
    return forward(images, List.of()).logits();
  }

  /**
   * Logits, and the outputs of the submodules at these paths ({@code layer4.1}).
   *
   * @throws bridge.UsageException if there is no such submodule, with the paths there are
   */
  Outputs forward(Tensor images, List<String> features);

  /** What {@link #later} promised. */
  @FunctionalInterface
  interface Later {
    /** Waits for it. */
    Outputs await();
  }

  /**
   * As {@link #forward} without recording gradients, perhaps while the caller goes on; the
   * innermost scope does not close before it is done.
   */
  default Later later(Tensor images, List<String> features) {
    try (NoGrad _ = NoGrad.enter()) {
      Outputs outputs = forward(images, features);
      return () -> outputs;
    }
  }

  /** The path whose output is the feature before the last linear layer; see {@link Features}. */
  String penultimate();

  /** All submodule paths that can be asked for as features. */
  List<String> modules();

  /** What is trained, by state_dict name. */
  Map<String, Tensor> parameters();

  /** What is not trained but saved: batch statistics, normalisation constants. */
  Map<String, Tensor> buffers();

  /** Parameters and buffers in the order of PyTorch's state_dict. */
  Map<String, Tensor> stateDict();

  /** What is neither trained nor saved: normalisation constants that are no buffers. */
  default List<Tensor> constants() {
    return List.of();
  }

  /** Whether batch statistics (and dropout) work as in training. */
  boolean training();

  /**
   * How far one batch in training mode moves the running batch statistics from where they are to
   * its own; empty where that is not known.
   */
  default OptionalDouble statisticsMomentum() {
    return OptionalDouble.empty();
  }

  /** Switches every submodule to training or evaluation. */
  void train(boolean on);

  /** Where its parameters live. */
  Device device();

  /**
   * Lays the convolutions' weights out channels last where that pays: the same values, the same
   * logits up to rounding. Call before an optimiser makes its state.
   *
   * <p>On the processor it is for networks that are only run: ResNet-8, ResNet-18 and MobileNetV2
   * take 8 to 30 % less time so. One of two convolutions took 8 % more: up to three, the layout
   * stays. On CUDA tensor cores work channels last, and cuDNN would turn every map round for them
   * and back; they are used for TF32 and bfloat16. In float32 without them cuDNN's kernels are made
   * for the other layout, so that it stays (PyTorch's guide to channels last; not measured here).
   *
   * @param precision in which the network's layers compute
   */
  default void channelsLast(ComputePrecision precision) {
    List<Tensor> convolutions = parameters().values().stream().filter(p -> p.dim() == 4).toList();
    boolean pays =
        device().isCuda() ? precision != ComputePrecision.FLOAT32 : convolutions.size() > 3;
    if (pays) {
      convolutions.forEach(p -> p.setData(p.detach().channelsLast()));
    }
  }

  /**
   * As {@link #channelsLast}, also the first convolution of a network for images of one channel.
   * One channel alone is channels last in any layout, and libtorch then takes the other, so that
   * all that meets the first map runs over two layouts; the strides must say it.
   */
  default void channelsLastThroughout(ComputePrecision precision) {
    channelsLast(precision);
    for (Tensor p : parameters().values()) {
      if (p.dim() == 4 && p.size(1) == 1 && p.size(2) > 1) {
        long[] size = p.sizes();
        long[] strides = {size[2] * size[3], 1, size[3], 1};
        p.setData(p.detach().contiguous().asStrided(size, strides, 0));
      }
    }
  }

  /**
   * Follows its forward pass in evaluation mode, so that programs can be compiled of it.
   *
   * @param home the scope that programs live as long as
   * @param images random ones in [0, 1], a few of them
   * @throws Graph.Unsupported if it cannot be followed, with the reason
   */
  default Compiler compiler(Scope home, Tensor images) {
    throw new Graph.Unsupported("it is no network of ours and no TorchScript module");
  }

  /** Stops gradients to the parameters, as for a frozen teacher. */
  default void freeze() {
    train(false);
    parameters().values().forEach(p -> p.requiresGrad_(false));
  }
}
