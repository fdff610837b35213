package bridge.evaluate;

import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;

/** What a network says of images. */
final class Predictions {
  private Predictions() {}

  /** The class of the largest logit of each image [N, C, H, W]. */
  static int[] of(Network network, Tensor images) {
    try (Scope _ = Scope.open("predictions");
        NoGrad _ = NoGrad.enter()) {
      return ints(network.logits(images).argmax(1));
    }
  }

  /** The values of labels, int64 [N]. */
  static int[] ints(Tensor labels) {
    return Arrays.stream(labels.toLongs()).mapToInt(Math::toIntExact).toArray();
  }
}
