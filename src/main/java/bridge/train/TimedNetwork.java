package bridge.train;

import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.Tensor;
import java.util.List;

/** A teacher whose time is told apart from that of whoever asks it. */
final class TimedNetwork extends NetworkDecorator {
  private final Network network;
  private final Stages stages;

  TimedNetwork(Network network, Stages stages) {
    super(network);
    this.network = network;
    this.stages = stages;
  }

  @Override
  public Outputs forward(Tensor images, List<String> features) {
    try (Stages.Visit _ = stages.enter(Stage.TEACHERS)) {
      return super.forward(images, features);
    }
  }

  /** Only the wait for what is done beside the caller's work is the teacher's time. */
  @Override
  public Later later(Tensor images, List<String> features) {
    Later later;
    try (Stages.Visit _ = stages.enter(Stage.TEACHERS)) {
      later = network.later(images, features);
    }
    return () -> {
      try (Stages.Visit _ = stages.enter(Stage.TEACHERS)) {
        return later.await();
      }
    };
  }
}
