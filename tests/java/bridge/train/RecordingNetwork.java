package bridge.train;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/** A network that tells of every forward pass before it is made. */
record RecordingNetwork(Network network, Consumer<Tensor> seen) implements Network {

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    seen.accept(images);
    return network.forward(images, features);
  }

  @Override
  public String name() {
    return network.name();
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
  public OptionalDouble statisticsMomentum() {
    return network.statisticsMomentum();
  }

  @Override
  public void train(boolean on) {
    network.train(on);
  }

  @Override
  public Device device() {
    return network.device();
  }

  @Override
  public void freeze() {
    network.freeze();
  }
}
