package bridge.architecture;

import bridge.torch.Tensor;

/**
 * In training, zeroes each element with this probability and scales the others up; the draws are
 * libtorch's own. In evaluation it gives its input as it is.
 */
final class Dropout extends Module {
  private final double probability;

  Dropout(double probability) {
    this.probability = probability;
  }

  @Override
  protected Tensor forward(Tensor x) {
    return x.dropout(probability, training());
  }
}
