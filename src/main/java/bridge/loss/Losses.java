package bridge.loss;

import bridge.torch.Tensor;

/**
 * The losses everything here is made of. Shapes: logits [N, K], labels int64 [N], target
 * probabilities [N, K]. Per-sample results are [N]; "batchmean" sums over classes and averages over
 * the batch, which is K times what PyTorch's default reduction "mean" gives.
 */
public final class Losses {
  /** Keeps the spread of equal logits from being 0. */
  private static final double TINY = 1e-12;

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

  /** z_y − max over the others of z_j, [N]: below 0 where the network is wrong. */
  public static Tensor margin(Tensor logits, Tensor labels) {
    Tensor index = labels.unsqueeze(1);
    Tensor others = logits.scatter(1, index, Double.NEGATIVE_INFINITY).amaxKeep(1);
    return logits.gather(1, index).sub(others).squeeze(1);
  }

  /**
   * The difference of logits ratio of each sample (Croce and Hein 2020, equation 6): −margin / (z₁
   * − z₃), zᵢ the i-th largest logit. Neither shifting nor scaling the logits changes it. Needs
   * three classes.
   */
  public static Tensor dlr(Tensor logits, Tensor labels) {
    Tensor sorted = logits.gather(1, logits.topIndices(3));
    Tensor spread = sorted.select(1, 0).sub(sorted.select(1, 2)).add(TINY);
    return margin(logits, labels).div(spread).neg();
  }

  /**
   * The targeted form (equation 7): (z_t − z_y) / (z₁ − (z₃ + z₄) / 2), t the target classes [N].
   * Needs four classes.
   */
  public static Tensor dlr(Tensor logits, Tensor labels, Tensor targets) {
    Tensor sorted = logits.gather(1, logits.topIndices(4));
    Tensor lower = sorted.select(1, 2).add(sorted.select(1, 3)).mul(0.5);
    Tensor spread = sorted.select(1, 0).sub(lower).add(TINY);
    Tensor labelLogits = logits.gather(1, labels.unsqueeze(1));
    Tensor lead = logits.gather(1, targets.unsqueeze(1)).sub(labelLogits).squeeze(1);
    return lead.div(spread);
  }
}
