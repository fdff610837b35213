package bridge.loss;

import bridge.Options;
import bridge.torch.Tensor;

/** How a divergence becomes one number; the two differ by the number of classes. */
public enum Reduction {
  /** The sum over the classes, averaged over the batch: the divergence itself. */
  BATCHMEAN,
  /** The mean over batch and classes: the default of PyTorch's {@code KLDivLoss}. */
  MEAN;

  public static Reduction from(Options options, Reduction fallback) {
    return options.choice("reduction", fallback);
  }

  /** Of sums over the classes, one per sample [N]. */
  public Tensor of(Tensor perSample, long classes) {
    return this == MEAN ? perSample.mean().div(classes) : perSample.mean();
  }
}
