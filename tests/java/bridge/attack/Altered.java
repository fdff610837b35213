package bridge.attack;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;

/** A network that answers something else than the one it is made of. */
abstract class Altered implements Network {
  private final Network of;

  Altered(Network of) {
    this.of = of;
  }

  /**
   * @param logits what the other network says
   * @return what this one says
   */
  abstract Tensor answer(Tensor images, Tensor logits);

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    Outputs outputs = of.forward(images, features);
    return new Outputs(answer(images, outputs.logits()), outputs.features());
  }

  @Override
  public String name() {
    return "altered";
  }

  @Override
  public int classes() {
    return of.classes();
  }

  @Override
  public String penultimate() {
    return of.penultimate();
  }

  @Override
  public List<String> modules() {
    return of.modules();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return of.parameters();
  }

  @Override
  public Map<String, Tensor> buffers() {
    return of.buffers();
  }

  @Override
  public Map<String, Tensor> stateDict() {
    return of.stateDict();
  }

  @Override
  public boolean training() {
    return of.training();
  }

  @Override
  public void train(boolean on) {
    of.train(on);
  }

  @Override
  public Device device() {
    return of.device();
  }
}
