package bridge.method.parts;

import bridge.Options;
import bridge.loss.Losses;
import bridge.torch.Tensor;
import java.util.List;

/**
 * The target that K teachers give together, from their logits and the weights a [N, K] of {@link
 * TeacherWeights}, and the student's divergence from it.
 *
 * @param temperature T of the targets
 * @param standardise whether LOGIT fusion first gives each logit vector mean 0 and deviation 1, so
 *     that the teacher with the largest scale does not lead
 */
public record FusedTarget(Space space, double temperature, boolean standardise) {

  /** What is averaged. */
  public enum Space {
    /** q = Σ_k a_k softmax(z_k / T). */
    PROB,
    /** q = softmax(Σ_k a_k z_k / T). */
    LOGIT,
    /** Σ_k a_k KL(p_k ‖ p_s): the gradient of PROB, another constant. */
    LOSS
  }

  public static FusedTarget from(Options options, double temperature) {
    return new FusedTarget(
        options.choice("fusionSpace", Space.PROB),
        temperature,
        options.flag("standardiseLogits", true));
  }

  /** The fused target q [N, C] of PROB and LOGIT; for LOSS, where there is none, that of PROB. */
  public Tensor of(Tensor weights, List<Tensor> rectified) {
    if (space == Space.LOGIT) {
      Tensor sum = weighted(weights, rectified.stream().map(this::standardised).toList());
      return sum.div(temperature).softmax(1);
    }
    return weighted(weights, rectified.stream().map(z -> z.div(temperature).softmax(1)).toList());
  }

  private Tensor standardised(Tensor z) {
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
      Tensor term = values.get(k).mul(weights.narrow(1, k, 1));
      sum = sum == null ? term : sum.add(term);
    }
    return sum;
  }

  /**
   * KL of the fused target to the student, batchmean, not yet times T².
   *
   * @param student logits [N, C], already divided by the student's temperature
   */
  public Tensor divergence(Tensor weights, List<Tensor> rectified, Tensor student) {
    if (space != Space.LOSS) {
      return Losses.kl(of(weights, rectified), student);
    }
    List<Tensor> divergences =
        rectified.stream()
            .map(z -> Losses.klPerSample(z.div(temperature).softmax(1), student).unsqueeze(1))
            .toList();
    return weighted(weights, divergences).mean();
  }
}
