package bridge.attack;

import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;

/**
 * A batch under an attack of several rounds: which images are still classified rightly, and what
 * was found for the others. An image that was wrong from the start stays as it is. Belongs to the
 * scope it was made in.
 */
final class Survivors {
  private final Tensor images;
  private final Tensor labels;
  private final Tensor logits;
  private final Tensor found;
  private final Tensor index;

  Survivors(Network network, Tensor images, Tensor labels) {
    this.images = images;
    this.labels = labels;
    try (NoGrad _ = NoGrad.enter()) {
      this.logits = network.logits(images).detach();
      this.index = logits.argmax(1).eq(labels).nonzero().squeeze(1);
    }
    this.found = images.copy();
  }

  boolean none() {
    return index.size(0) == 0;
  }

  /** The places in the batch of those still right: int64 [M]. */
  Tensor index() {
    return index;
  }

  /** Those still right, [M, C, H, W]. */
  Tensor images() {
    return images.indexSelect(0, index);
  }

  /** Their labels, [M]. */
  Tensor labels() {
    return labels.indexSelect(0, index);
  }

  /** The class that the network, at the clean images, ranks so: 1 is the likeliest; int64 [M]. */
  Tensor ranked(int rank) {
    return logits.indexSelect(0, index).topIndices(rank).select(1, rank - 1).contiguous();
  }

  /**
   * Takes over what a round came to.
   *
   * @param broken bool [M]
   * @param adversarial [M, C, H, W], read where {@code broken}
   */
  void update(Tensor broken, Tensor adversarial) {
    try (Scope _ = Scope.open("survivors")) {
      Tensor rows = broken.nonzero().squeeze(1);
      found.indexCopy_(0, index.indexSelect(0, rows), adversarial.indexSelect(0, rows));
      index.setData(index.indexSelect(0, broken.logicalNot().nonzero().squeeze(1)));
    }
  }

  /** The whole batch: adversarial where found, else clean. */
  Tensor found() {
    return found;
  }
}
