package bridge.method;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** A network that writes down, pass by pass, who was asked about what and in which mode. */
final class WatchedNetwork implements Network {
  private final String name;
  private final Network network;
  private final List<String> log;
  private final Map<Tensor, String> known = new IdentityHashMap<>();

  WatchedNetwork(String name, Network network, List<String> log) {
    this.name = name;
    this.network = network;
    this.log = log;
  }

  /** Calls these very images by this name. */
  void knows(Tensor images, String as) {
    known.put(images, as);
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    String mode = training() ? "" : " eval";
    log.add("%s(%s)%s".formatted(name, known.getOrDefault(images, "x*"), mode));
    return network.forward(images, features);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int classes() {
    return network.classes();
  }

  @Override
  public String penultimate() {
    return network.penultimate();
  }

  @Override
  public List<String> modules() {
    return network.modules();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return network.parameters();
  }

  @Override
  public Map<String, Tensor> buffers() {
    return network.buffers();
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return network.stateDict();
  }

  @Override
  public boolean training() {
    return network.training();
  }

  @Override
  public void train(boolean on) {
    network.train(on);
  }

  @Override
  public Device device() {
    return network.device();
  }
}
