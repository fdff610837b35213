package bridge.method.parts;

import bridge.UsageException;
import bridge.model.Features;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;

/**
 * A teacher's own last linear layer, which can be asked about other features than the teacher's:
 * the mean of a map over its positions, then weight and bias.
 *
 * @param bias null where the layer has none
 */
public record Classifier(Tensor weight, Tensor bias) {
  /** How far the layer's answer may be from the logits, as a share of the largest one. */
  private static final double TOLERANCE = 1e-3;

  /**
   * Finds the layer by its shape, and sees that it makes the teacher's logits of its feature.
   *
   * @throws UsageException if there is none that does
   */
  public static Classifier of(Teacher teacher, MethodContext context) {
    Network network = teacher.network();
    try (Scope _ = Scope.open("classifier");
        NoGrad _ = NoGrad.enter()) {
      Network.Outputs out =
          network.forward(noise(context, Tap.of(teacher)), List.of(teacher.feature()));
      Tensor feature = Features.map(out.features().get(teacher.feature()));
      for (Map.Entry<String, Tensor> entry : network.parameters().entrySet()) {
        Tensor weight = entry.getValue();
        if (weight.dim() == 2
            && weight.size(0) == out.logits().size(1)
            && weight.size(1) == feature.size(1)) {
          String bias = entry.getKey().replaceFirst("weight$", "bias");
          Classifier found = new Classifier(weight, network.parameters().get(bias));
          if (found.reproduces(out.logits(), feature)) {
            return found;
          }
        }
      }
    }
    throw new UsageException(
        "teacher %s does not make its logits by a linear layer from the mean of %s; name the module before its pooling as its features, or set method.beta to 0"
            .formatted(teacher.name(), teacher.feature()));
  }

  private static Tensor noise(MethodContext context, Tap teacher) {
    long[] c = context.imageShape();
    Generator generator = Generator.on(Device.CPU, context.seeds().derive("classifier"));
    return Tensor.empty(teacher.type(), Device.CPU, 2, c[0], c[1], c[2])
        .uniform_(0, 1, generator)
        .to(context.device());
  }

  private boolean reproduces(Tensor logits, Tensor feature) {
    if (logits.device().equals(Device.META)) {
      return true; // there are no values to compare
    }
    double largest = logits.abs().max().item();
    return apply(feature).sub(logits).abs().max().item() <= TOLERANCE * largest;
  }

  /** Logits [N, K] of a map [N, d, H, W]; the layer is constant, the map is not. */
  public Tensor apply(Tensor map) {
    return map.mean(2, 3).linear(weight.detach(), bias == null ? null : bias.detach());
  }
}
