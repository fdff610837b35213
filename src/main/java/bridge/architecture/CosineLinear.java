package bridge.architecture;

import bridge.torch.Tensor;

/**
 * The cosines between features and the classes' weights: [N, in] to [N, out] in [-1, 1].
 *
 * <p>The head of hypersphere embedding (Pang et al., NeurIPS 2020), as RobustBench's
 * Pang2020BoostingNet evaluates it. The public code overwrites the weights with their normalised
 * selves at every call; here they stay as they were loaded and are normalised on the way, which
 * gives the same logits.
 */
final class CosineLinear extends Module {
  /** What PyTorch's {@code normalize} divides by at least. */
  private static final double LEAST = 1e-12;

  private final Tensor weight;

  /**
   * @param weight [out, in]
   */
  CosineLinear(Tensor weight) {
    this.weight = parameter("weight", weight);
  }

  @Override
  protected Tensor forward(Tensor x) {
    return normalised(x).linear(normalised(weight), null);
  }

  private static Tensor normalised(Tensor rows) {
    return rows.div(rows.norm2Keep(1).clampMin(LEAST));
  }
}
