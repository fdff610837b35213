package bridge.method;

import bridge.GoldenDevice;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** A network that says of each image tensor, itself and not its like, what it was told to say. */
final class GivenNetwork implements Network {
  private final String name;
  private final Map<Tensor, Tensor> logits = new IdentityHashMap<>();

  GivenNetwork(String name) {
    this.name = name;
  }

  /** These logits [N, K] for these images; nothing where they are null. */
  GivenNetwork says(Tensor images, Tensor answer) {
    if (answer != null) {
      logits.put(images, answer);
    }
    return this;
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    if (!logits.containsKey(images)) {
      throw new AssertionError(name + " is asked about images that the case has no logits for");
    }
    return new Outputs(logits.get(images), Map.of());
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int classes() {
    return (int) logits.values().iterator().next().size(1);
  }

  @Override
  public String penultimate() {
    return "none";
  }

  @Override
  public List<String> modules() {
    return List.of();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return Map.of();
  }

  @Override
  public Map<String, Tensor> buffers() {
    return Map.of();
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return Map.of();
  }

  @Override
  public boolean training() {
    return true;
  }

  @Override
  public void train(boolean on) {}

  @Override
  public Device device() {
    return GoldenDevice.DEVICE;
  }
}
