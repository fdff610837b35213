package bridge.evaluate;

import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Seeds;

/** A network of two small convolutions for Fashion-MNIST: quick, and not robust. */
final class SmallNetwork {
  private SmallNetwork() {}

  static Network load() {
    Network network =
        Models.build(
            ModelSpec.parse("tests/golden/attacks/net_1x28/student_torchscript.pt"),
            1,
            10,
            28,
            Normalisation.NONE,
            new Seeds(1),
            Device.CPU);
    network.freeze();
    return network;
  }
}
