package bridge.model;

import bridge.graph.Compiler;
import bridge.graph.Graph;
import bridge.torch.Autocast;
import bridge.torch.DType;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A network whose layers compute in bfloat16 ({@link Autocast}), and that looks from outside like
 * one in float32: its weights are, as are the logits and features that come out. It trains, and it
 * gives gradients of images: bfloat16 has float32's range, so that small ones do not vanish, as
 * they would in float16; their last bits are lost.
 */
public final class AutocastNetwork extends NetworkDecorator {

  public AutocastNetwork(Network network) {
    super(network);
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Outputs outputs;
    try (Autocast _ = Autocast.bfloat16(device())) {
      outputs = super.forward(images, features);
    }
    Map<String, Tensor> tapped = new LinkedHashMap<>();
    outputs.features().forEach((path, feature) -> tapped.put(path, feature.to(DType.FLOAT32)));
    return new Outputs(outputs.logits().to(DType.FLOAT32), tapped);
  }

  @Override
  public Compiler compiler(Scope home, Tensor images) {
    throw new Graph.Unsupported("it computes in bfloat16");
  }

  @Override
  public String toString() {
    return name() + " computing in bfloat16";
  }
}
