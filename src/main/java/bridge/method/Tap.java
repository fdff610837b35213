package bridge.method;

import bridge.Options;
import bridge.model.Features;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.List;

/** A network and the submodule whose output is its feature. */
record Tap(Network network, String path) {

  /** The student at the layer that the option {@code featLayer} names, the last feature if none. */
  static Tap ofStudent(Options options, Setting setting) {
    String layer = options.text("featLayer", "penultimate");
    return new Tap(setting.student(), Taps.student(setting.student(), layer));
  }

  /**
   * The only teacher.
   *
   * @throws bridge.UsageException if there is none, more than one, or a peer
   */
  static Tap ofTeacher(String method, Setting setting) {
    Setting.Teacher teacher = Methods.onlyTeacher(method, setting);
    return new Tap(teacher.network(), teacher.feature());
  }

  Network.Outputs ask(Tensor images) {
    return network.forward(images, List.of(path));
  }

  /** As {@link #ask}, without recording gradients. */
  Network.Outputs askSilently(Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      return ask(images);
    }
  }

  /** Out of what {@link #ask} gave. */
  Tensor feature(Network.Outputs outputs) {
    return outputs.features().get(path);
  }

  /** The same as a vector per image, [N, d]. */
  Tensor vector(Network.Outputs outputs) {
    return Features.vector(feature(outputs));
  }

  /** The feature's sizes for one image. */
  long[] sizes(Setting setting) {
    return Taps.sizes(setting, network, path);
  }

  /** The width d of {@link #vector}. */
  long width(Setting setting) {
    return Taps.width(setting, network, path);
  }

  /** Of the network's numbers. */
  DType type() {
    return Taps.type(network);
  }
}
