package bridge.train;

import bridge.BridgeException;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Counts the floating-point operations of what a network is asked, two for each multiplication with
 * a weight of a convolution or a linear layer: the mathematics of the step, however it is computed.
 *
 * <p>A pass forward through a layer counts once, the gradient with respect to its input and that
 * with respect to its weights once more each. Normalisations, activations, attention's own products
 * and the losses are left out, as is customary; for convolutional networks they are a few percent.
 */
final class CountedNetwork extends NetworkDecorator {
  /**
   * Of one image.
   *
   * @param forward through all layers
   * @param first through the first layer, whose input's gradient training does not need
   */
  private record Cost(double forward, double first) {}

  private final Optional<Cost> cost;
  private double operations;

  /** Shows the network a black image of this shape, C, H, W, in evaluation mode. */
  CountedNetwork(Network network, long[] shape) {
    super(network);
    cost = cost(network, shape);
  }

  /** Empty where the outputs of the layers cannot be had, as in some TorchScript files. */
  private static Optional<Cost> cost(Network network, long[] shape) {
    Map<String, Tensor> parameters = network.parameters();
    List<String> layers =
        network.modules().stream().filter(path -> multiplies(parameters, path)).toList();
    try (Scope _ = Scope.open("count");
        NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      Tensor image = Tensor.zeros(DType.FLOAT32, network.device(), 1, shape[0], shape[1], shape[2]);
      Map<String, Tensor> outputs = network.forward(image, layers).features();
      List<Double> costs =
          layers.stream()
              .filter(path -> outputs.get(path) != null)
              .map(path -> operations(weight(parameters, path), outputs.get(path)))
              .toList();
      return costs.isEmpty()
          ? Optional.empty()
          : Optional.of(new Cost(costs.stream().mapToDouble(c -> c).sum(), costs.getFirst()));
    } catch (BridgeException e) {
      return Optional.empty(); // its operations then are said not to be counted
    }
  }

  private static Tensor weight(Map<String, Tensor> parameters, String path) {
    return parameters.get(path + ".weight");
  }

  private static boolean multiplies(Map<String, Tensor> parameters, String path) {
    Tensor weight = weight(parameters, path);
    return weight != null && (weight.dim() == 4 || weight.dim() == 2);
  }

  /** Each weight takes part once at every position of the output. */
  private static double operations(Tensor weight, Tensor output) {
    return 2.0 * weight.numel() * output.numel() / weight.size(0);
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Outputs outputs = super.forward(images, features);
    operations += images.size(0) * cost.map(c -> perImage(c, images, outputs)).orElse(0.0);
    return outputs;
  }

  private static double perImage(Cost cost, Tensor images, Outputs outputs) {
    if (images.requiresGrad()) {
      return 2 * cost.forward; // an attack: the gradient of the images alone
    }
    return outputs.logits().requiresGrad() ? 3 * cost.forward - cost.first : cost.forward;
  }

  /** Whether its layers are known. */
  boolean counts() {
    return cost.isPresent();
  }

  /** Floating-point operations so far. */
  double operations() {
    return operations;
  }
}
