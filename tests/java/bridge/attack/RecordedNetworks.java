package bridge.attack;

import bridge.GoldenDevice;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.ScriptModule;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.List;

/** The TorchScript files beside recorded attacks, with as many classes as they tell apart. */
final class RecordedNetworks {
  private RecordedNetworks() {}

  /**
   * The network of a file, in evaluation mode.
   *
   * @param images [N, C, S, S] that it is to be shown
   */
  static Network load(Path file, Tensor images) {
    Network network =
        Models.build(
            ModelSpec.parse(file.toString()),
            (int) images.size(1),
            classes(file, images),
            (int) images.size(2),
            Normalisation.NONE,
            new Seeds(1),
            GoldenDevice.DEVICE);
    network.train(false);
    return network;
  }

  private static int classes(Path file, Tensor images) {
    try (Scope _ = Scope.open("classes");
        NoGrad _ = NoGrad.enter()) {
      ScriptModule module = ScriptModule.load(file, GoldenDevice.DEVICE);
      module.train(false);
      return (int) module.forward(images, List.of()).get("").size(1);
    }
  }
}
