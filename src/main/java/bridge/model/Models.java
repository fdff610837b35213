package bridge.model;

import bridge.UsageException;
import bridge.architecture.Architecture;
import bridge.architecture.Architectures;
import bridge.architecture.Dimensions;
import bridge.architecture.Init;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Builds what a {@link ModelSpec} names. */
public final class Models {
  private Models() {}

  /**
   * Builds the network in the caller's scope; a new one is in training mode.
   *
   * @param channels of the data's images
   * @param classes of the data
   * @param imageSize height and width of the data's images, in pixels
   * @param normalisation applied to the images, inside the network
   * @param seeds whose stream "init" gives the first weights
   * @throws UsageException if the model does not fit the data, an option is wrong, or a checkpoint
   *     is not of this architecture
   */
  public static Network build(
      ModelSpec spec,
      int channels,
      int classes,
      int imageSize,
      Normalisation normalisation,
      Seeds seeds,
      Device device) {
    return switch (spec) {
      case ModelSpec.Script script ->
          ScriptNetwork.load(script, channels, classes, imageSize, normalisation, device);
      case ModelSpec.BuiltIn builtIn ->
          builtIn(
              builtIn, new Dimensions(channels, classes, imageSize), normalisation, seeds, device);
    };
  }

  private static Network builtIn(
      ModelSpec.BuiltIn spec,
      Dimensions data,
      Normalisation normalisation,
      Seeds seeds,
      Device device) {
    try (Scope building = Scope.open("build")) {
      var constants = normalisation.on(device, data.channels());
      // A checkpoint brings all weights, so none are drawn: large networks take seconds to draw.
      Init init = spec.checkpoint().isPresent() ? Init.unset(device) : Init.of(seeds, device);
      Architecture root = Architectures.build(spec.architecture(), spec.options(), data, init);
      Network network = new BuiltInNetwork(spec.text(), data.classes(), root, constants, device);
      spec.checkpoint().ifPresent(file -> StateDicts.load(network, file));
      List<Tensor> lasting = new ArrayList<>(network.stateDict().values());
      if (!normalisation.isNone()) {
        lasting.addAll(List.of(constants.mean(), constants.std()));
      }
      lasting.forEach(building::keep);
      return network;
    }
  }
}
