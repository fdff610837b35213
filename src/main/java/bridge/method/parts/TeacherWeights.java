package bridge.method.parts;

import bridge.Options;
import bridge.loss.Losses;
import bridge.torch.Tensor;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * How far each of K teachers is trusted, per sample: weights a [N, K] from the teachers'
 * predictions, which sum to 1.
 *
 * <p>The idea is SA-MDRAD's abstract (Li et al. 2024); the formulas are those of the works it cites
 * and our own. Inputs are detached; nothing is read on the host.
 *
 * @param sharpness τ_w of SOFTNEG and MARGIN
 */
public record TeacherWeights(Rule rule, From from, double sharpness) {

  /** The weight of teacher k for a sample, from its logits z and label y. */
  public enum Rule {
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
  public enum From {
    /** Those before rectification: a teacher that was wrong is trusted less. */
    RAW,
    /** Those after it, where a wrong teacher looks right. */
    RECTIFIED
  }

  public static TeacherWeights from(Options options) {
    return new TeacherWeights(
        options.choice("fusionWeights", Rule.CAMKD),
        options.choice("weightsFrom", From.RAW),
        options.number("weightsTemperature", 1, 1e-3, 1e3));
  }

  /**
   * @param raw logits of every teacher [N, C] before rectification
   * @param rectified the same after it
   * @return a [N, K]
   */
  public Tensor of(List<Tensor> raw, List<Tensor> rectified, Tensor labels) {
    List<Tensor> logits = from == From.RAW ? raw : rectified;
    int k = logits.size();
    Tensor first = logits.get(0);
    if (k == 1 || rule == Rule.UNIFORM) {
      return Tensor.full(1.0 / k, first.dtype(), first.device(), first.size(0), k);
    }
    return switch (rule) {
      case CAMKD -> complement(crossEntropies(logits, labels).softmax(1), k);
      case SOFTNEG -> crossEntropies(logits, labels).div(-sharpness).softmax(1);
      case TRUEPROB -> normalise(crossEntropies(logits, labels).neg().exp());
      case ENTROPY -> complement(normalise(perTeacher(logits, TeacherWeights::entropy)), k);
      case MARGIN -> perTeacher(logits, z -> Losses.margin(z, labels)).div(sharpness).softmax(1);
      case UNIFORM -> throw new AssertionError();
    };
  }

  private static Tensor crossEntropies(List<Tensor> logits, Tensor labels) {
    return perTeacher(logits, z -> Losses.crossEntropyPerSample(z, labels));
  }

  private static Tensor perTeacher(List<Tensor> logits, UnaryOperator<Tensor> perSample) {
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
}
