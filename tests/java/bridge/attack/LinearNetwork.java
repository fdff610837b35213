package bridge.attack;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;

/** Logits W x + b: what an attack may reach at best is known in closed form. */
final class LinearNetwork implements Network {
  private final Tensor weight;
  private final Tensor bias;
  private boolean training;

  /**
   * @param weight [K, C·H·W]
   * @param bias [K]
   */
  LinearNetwork(Tensor weight, Tensor bias) {
    this.weight = weight;
    this.bias = bias;
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    return new Outputs(images.flatten(1).linear(weight, bias), Map.of());
  }

  @Override
  public String name() {
    return "linear";
  }

  @Override
  public int classes() {
    return (int) weight.size(0);
  }

  @Override
  public String penultimate() {
    return "";
  }

  @Override
  public List<String> modules() {
    return List.of();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return stateDict();
  }

  @Override
  public Map<String, Tensor> buffers() {
    return Map.of();
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return Map.of("weight", weight, "bias", bias);
  }

  @Override
  public boolean training() {
    return training;
  }

  @Override
  public void train(boolean on) {
    training = on;
  }

  @Override
  public Device device() {
    return Device.CPU;
  }
}
