package bridge.method;

import bridge.Options;
import bridge.loss.Losses;
import bridge.torch.Tensor;
import java.util.List;

/**
 * Adaptive fusion of K teachers per sample: weights a [N, K] from the teachers' predictions, which
 * sum to 1, and the fused target they give.
 *
 * <p>The idea is SA-MDRAD's abstract (Li et al. 2024); the formulas are those of the works it cites
 * and our own. Inputs are detached; nothing is read on the host.
 *
 * @param temperature T of the targets
 * @param sharpness τ_w of SOFTNEG and MARGIN
 * @param standardise whether LOGIT fusion first gives each logit vector mean 0 and deviation 1, so
 *     that the teacher with the largest scale does not lead
 */
record Fusion(
    Weights weights,
    From from,
    Space space,
    double temperature,
    double sharpness,
    boolean standardise) {

  /** The weight of teacher k for a sample, from its logits z and label y. */
  enum Weights {
    /** (1 − softmax_k(CE_k)) / (K − 1): CA-MKD (Zhang et al. 2022). */
    CAMKD,
    /** softmax_k(−CE_k / τ_w). */
    SOFTNEG,
    /** p_k[y] / Σ_j p_j[y]: IAD's confidence, normalised. */
    TRUEPROB,
    /** (1 − H_k / Σ_j H_j) / (K − 1), H the entropy: EBKD, normalised. */
    ENTROPY,
    /** 1 / K. */
    UNIFORM,
    /** softmax_k((z_y − max_{j≠y} z_j) / τ_w). */
    MARGIN
  }

  /** Which logits the weights are computed from. */
  enum From {
    /** Those before rectification: a teacher that was wrong is trusted less. */
    RAW,
    /** Those after it, where a wrong teacher looks right. */
    RECTIFIED
  }

  /** What is averaged. */
  enum Space {
    /** q = Σ_k a_k softmax(z_k / T). */
    PROB,
    /** q = softmax(Σ_k a_k z_k / T). */
    LOGIT,
    /** Σ_k a_k KL(p_k ‖ p_s): the gradient of PROB, another constant. */
    LOSS
  }

  static Fusion from(Options options, double temperature) {
    return new Fusion(
        options.choice("fusionWeights", Weights.CAMKD),
        options.choice("weightsFrom", From.RAW),
        options.choice("fusionSpace", Space.PROB),
        temperature,
        options.number("weightsTemperature", 1, 1e-3, 1e3),
        options.flag("standardiseLogits", true));
  }

  /**
   * @param raw logits of every teacher [N, C] before rectification
   * @param rectified the same after it
   * @return a [N, K]
   */
  Tensor weights(List<Tensor> raw, List<Tensor> rectified, Tensor labels) {
    List<Tensor> logits = from == From.RAW ? raw : rectified;
    int k = logits.size();
    Tensor first = logits.get(0);
    if (k == 1 || weights == Weights.UNIFORM) {
      return Tensor.full(1.0 / k, first.dtype(), first.device(), first.size(0), k);
    }
    return switch (weights) {
      case CAMKD -> complement(crossEntropies(logits, labels).softmax(1), k);
      case SOFTNEG -> crossEntropies(logits, labels).div(-sharpness).softmax(1);
      case TRUEPROB -> normalise(crossEntropies(logits, labels).neg().exp());
      case ENTROPY -> complement(normalise(each(logits, Fusion::entropy)), k);
      case MARGIN -> each(logits, z -> margin(z, labels)).div(sharpness).softmax(1);
      case UNIFORM -> throw new AssertionError();
    };
  }

  private static Tensor crossEntropies(List<Tensor> logits, Tensor labels) {
    return each(logits, z -> Losses.crossEntropyPerSample(z, labels));
  }

  private static Tensor each(
      List<Tensor> logits, java.util.function.UnaryOperator<Tensor> perSample) {
    return Tensor.stack(logits.stream().map(perSample).toList(), 1);
  }

  private static Tensor complement(Tensor shares, int k) {
    return shares.neg().add(1).div(k - 1);
  }

  private static Tensor normalise(Tensor values) {
    return values.div(values.sumKeep(1).clampMin(1e-30));
  }

  private static Tensor entropy(Tensor z) {
    return z.softmax(1).mul(z.logSoftmax(1)).sum(1).neg();
  }

  private static Tensor margin(Tensor z, Tensor labels) {
    Tensor y = labels.unsqueeze(1);
    Tensor others = z.scatter(1, y, Double.NEGATIVE_INFINITY).amaxKeep(1);
    return z.gather(1, y).sub(others).squeeze(1);
  }

  /** The fused target q [N, C] of PROB and LOGIT; for LOSS, where there is none, that of PROB. */
  Tensor target(Tensor weights, List<Tensor> rectified) {
    if (space == Space.LOGIT) {
      Tensor sum = weighted(weights, rectified.stream().map(this::aligned).toList());
      return sum.div(temperature).softmax(1);
    }
    return weighted(weights, rectified.stream().map(z -> z.div(temperature).softmax(1)).toList());
  }

  private Tensor aligned(Tensor z) {
    if (!standardise) {
      return z;
    }
    Tensor centred = z.sub(z.meanKeep(1));
    return centred.div(z.varianceKeep(1).add(1e-12).sqrt());
  }

  /** Σ_k a_k v_k. */
  private static Tensor weighted(Tensor weights, List<Tensor> values) {
    Tensor sum = null;
    for (int k = 0; k < values.size(); k++) {
      Tensor part = values.get(k).mul(weights.narrow(1, k, 1));
      sum = sum == null ? part : sum.add(part);
    }
    return sum;
  }

  /**
   * KL of the fused target to the student, batchmean, not yet times T².
   *
   * @param student logits [N, C], already divided by the student's temperature
   */
  Tensor divergence(Tensor weights, List<Tensor> rectified, Tensor student) {
    if (space != Space.LOSS) {
      return Losses.kl(target(weights, rectified), student);
    }
    List<Tensor> each =
        rectified.stream()
            .map(z -> Losses.klPerSample(z.div(temperature).softmax(1), student).unsqueeze(1))
            .toList();
    return weighted(weights, each).mean();
  }
}
