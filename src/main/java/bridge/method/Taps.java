package bridge.method;

import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/** What a network's submodules give, found by showing it an image of zeros. */
final class Taps {
  private Taps() {}

  /** The sizes of what the submodule at this path gives for one image: [1, d] or [1, d, H, W]. */
  static long[] sizes(Setting setting, Network network, String path) {
    long[] c = setting.imageShape();
    try (Scope _ = Scope.open("taps");
        NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      Tensor zeros = Tensor.zeros(type(network), setting.device(), 1, c[0], c[1], c[2]);
      return network.forward(zeros, List.of(path)).features().get(path).sizes();
    }
  }

  /** The width d of that, as a vector per image. */
  static long width(Setting setting, Network network, String path) {
    long[] sizes = sizes(setting, network, path);
    return sizes.length == 3 ? sizes[2] : sizes[1];
  }

  static DType type(Network network) {
    return network.parameters().values().iterator().next().dtype();
  }

  /** The path that the option {@code featLayer} names. */
  static String student(Network student, String named) {
    return named.equals("penultimate") ? student.penultimate() : named;
  }
}
