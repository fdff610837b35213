package bridge.method.parts;

import bridge.Options;
import bridge.torch.Tensor;

/**
 * Sample-aware dynamic rectification: where a teacher's prediction m = argmax z is not the label y,
 * its logits are changed so that it is; where it is right they stay as they are.
 *
 * <p>Logits [N, K] in, logits [N, K] out, never in place; applies per sample, without looking at
 * values from the host. The idea is SA-MDRAD's abstract (Li et al. 2024); the rules are DRKD's and
 * our own, since the paper's equations could not be had.
 *
 * @param rule see {@link Rule}
 * @param strength ρ in z ← (1 − ρ) z + ρ R(z)
 * @param margin by how much y leads afterwards: for RAISE times the spread z_m − min z, for MIX in
 *     probability
 * @param temperature T of the softmax that MIX mixes in
 */
public record Rectification(Rule rule, double strength, double margin, double temperature) {

  /** How the logits of a wrong teacher are corrected. */
  public enum Rule {
    /** z_m and z_y change places (DRKD, Amik et al. 2022): the other classes keep their order. */
    SWAP,
    /** z_y becomes z_m + margin · (z_m − min z); ours. */
    RAISE,
    /** p ← (1 − λ) p + λ · onehot(y), the smallest λ with which y leads by the margin; ours. */
    MIX,
    /** Nothing is corrected. */
    NONE
  }

  public static Rectification from(Options options, double temperature) {
    return new Rectification(
        options.choice("rectify", Rule.SWAP),
        options.number("rectifyStrength", 1, 0, 1),
        options.number("rectifyMargin", 0.1, 0, 1),
        temperature);
  }

  /** Whether anything is ever corrected. */
  public boolean acts() {
    return rule != Rule.NONE && strength > 0;
  }

  public Tensor apply(Tensor logits, Tensor labels) {
    if (!acts()) {
      return logits;
    }
    Tensor y = labels.unsqueeze(1);
    Tensor rectified =
        switch (rule) {
          case SWAP -> swap(logits, y);
          case RAISE -> raise(logits, y);
          case MIX -> mix(logits, y);
          case NONE -> throw new AssertionError();
        };
    return strength == 1 ? rectified : logits.mul(1 - strength).add(rectified, strength);
  }

  /** Whether each sample [N] is predicted wrongly, hence rectified (bool). */
  public static Tensor wrong(Tensor logits, Tensor labels) {
    return logits.argmax(1).ne(labels);
  }

  private static Tensor swap(Tensor z, Tensor y) {
    Tensor m = z.argmax(1).unsqueeze(1);
    Tensor zm = z.gather(1, m);
    Tensor zy = z.gather(1, y);
    return z.scatter(1, m, zy).scatter(1, y, zm);
  }

  private Tensor raise(Tensor z, Tensor y) {
    Tensor zm = z.amaxKeep(1);
    Tensor raised = zm.add(zm.sub(z.aminKeep(1)), margin);
    Tensor wrong = z.argmax(1).unsqueeze(1).ne(y);
    return z.scatter(1, y, wrong.where(raised, z.gather(1, y)));
  }

  /** λ = (max_{j≠y} p_j − p_y + δ) / (1 + max_{j≠y} p_j − p_y), 0 where the teacher is right. */
  private Tensor mix(Tensor z, Tensor y) {
    Tensor p = z.div(temperature).softmax(1);
    Tensor wrong = z.argmax(1).unsqueeze(1).ne(y);
    Tensor lead = p.scatter(1, y, -1).amaxKeep(1).sub(p.gather(1, y));
    Tensor lambda = lead.add(margin).div(lead.add(1)).clamp(0, 1).mul(wrong.to(p.dtype()));
    Tensor onehot = p.zerosLike().scatter(1, y, 1);
    Tensor mixed = p.add(lambda.mul(onehot.sub(p)));
    // back to logits, whose softmax at the same temperature is the mixture
    return wrong.where(mixed.clampMin(TINY).log().mul(temperature), z);
  }

  /** Smallest probability whose logarithm is taken. */
  private static final double TINY = 1e-30;
}
