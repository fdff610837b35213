package bridge.attack;

import bridge.torch.Tensor;

/**
 * The two losses everything here is made of. Shapes: logits [N, K], labels int64 [N], target
 * probabilities [N, K]. Per-sample results are [N]; "batchmean" sums over classes and averages over
 * the batch, which is K times what PyTorch's default reduction "mean" gives.
 */
public final class Losses {
  private Losses() {}

  /** Cross-entropy with integer labels, averaged over the batch. */
  public static Tensor crossEntropy(Tensor logits, Tensor labels) {
    return crossEntropyPerSample(logits, labels).mean();
  }

  /** Cross-entropy of each sample. */
  public static Tensor crossEntropyPerSample(Tensor logits, Tensor labels) {
    return logits.logSoftmax(1).gather(1, labels.unsqueeze(1)).squeeze(1).neg();
  }

  /** KL(target ‖ softmax(logits)), batchmean; 0 · log 0 is 0. */
  public static Tensor kl(Tensor target, Tensor logits) {
    return klPerSample(target, logits).mean();
  }

  /** KL(target ‖ softmax(logits)) of each sample. */
  public static Tensor klPerSample(Tensor target, Tensor logits) {
    return logits.logSoftmax(1).klDiv(target).sum(1);
  }

  /**
   * KL(softmax(from) ‖ softmax(to)) of each sample, safe to differentiate through both: the
   * logarithm is never taken of a probability that has become 0.
   */
  public static Tensor klBetweenLogits(Tensor from, Tensor to) {
    return from.softmax(1).mul(from.logSoftmax(1).sub(to.logSoftmax(1))).sum(1);
  }
}
