package bridge.train;

import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.Tensor;
import java.util.List;
import java.util.function.Consumer;

/** A network that tells of every forward pass before it is made. */
final class RecordingNetwork extends NetworkDecorator {
  private final Consumer<Tensor> seen;

  RecordingNetwork(Network network, Consumer<Tensor> seen) {
    super(network);
    this.seen = seen;
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    seen.accept(images);
    return super.forward(images, features);
  }
}
