package bridge.model;

import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.NativeException;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A frozen network in half precision that looks like one in float32: images are rounded before they
 * go in, normalisation and all layers compute in half precision, logits and features come out as
 * float32.
 *
 * <p>As with PyTorch's {@code module.half()} and {@code module.bfloat16()}, every parameter and
 * buffer of floating point is converted, batch statistics too; whole numbers stay. It answers and
 * no more: rounding would spoil the gradient that an attack climbs, and small steps of training
 * would vanish in it.
 */
final class HalfNetwork extends NetworkDecorator {
  private final Precision precision;

  private HalfNetwork(Network network, Precision precision) {
    super(network);
    this.precision = precision;
  }

  /**
   * Converts the network in place and shows it black images of this shape.
   *
   * @throws UsageException if it cannot be run in that precision
   */
  static Network of(Network network, Precision precision, int channels, int imageSize) {
    network.freeze();
    Stream.concat(network.stateDict().values().stream(), network.constants().stream())
        .filter(t -> t.dtype().isFloatingPoint())
        .forEach(t -> convert(t, precision.type));
    HalfNetwork half = new HalfNetwork(network, precision);
    half.check(channels, imageSize);
    return half;
  }

  private static void convert(Tensor tensor, DType type) {
    try (Scope _ = Scope.open("convert")) {
      tensor.setData(tensor.detach().to(type));
    }
  }

  private void check(int channels, int imageSize) {
    try (Scope _ = Scope.open("check");
        NoGrad _ = NoGrad.enter()) {
      logits(Tensor.zeros(DType.FLOAT32, device(), 1, channels, imageSize, imageSize));
    } catch (NativeException e) {
      throw new UsageException(
          ("model %s cannot be run in %s (%s): likely its file has constants of float32 inside;"
                  + " export it anew with its constants as buffers, as models/export_teacher.py"
                  + " does, or set its precision to FLOAT32")
              .formatted(name(), precision, e.getMessage()),
          e);
    }
  }

  /**
   * @throws IllegalStateException if gradients would flow from what it says to the images
   */
  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Outputs outputs = super.forward(images.to(precision.type), features);
    if (outputs.logits().requiresGrad()) {
      throw new IllegalStateException(
          "%s is held in %s, which gives no gradients; a method that needs them says so in Methods"
              .formatted(name(), precision));
    }
    Map<String, Tensor> tapped = new LinkedHashMap<>();
    outputs.features().forEach((path, feature) -> tapped.put(path, feature.to(DType.FLOAT32)));
    return new Outputs(outputs.logits().to(DType.FLOAT32), tapped);
  }

  /**
   * @throws IllegalStateException if it is to train
   */
  @Override
  public void train(boolean on) {
    if (on) {
      throw new IllegalStateException(name() + " is held in " + precision + " and cannot train");
    }
    super.train(false);
  }

  @Override
  public String toString() {
    return "%s in %s".formatted(name(), precision);
  }
}
