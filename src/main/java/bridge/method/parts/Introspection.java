package bridge.method.parts;

import bridge.Options;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.function.Supplier;

/**
 * The loss of IAD-I and of AdaIAD: the teacher is trusted as far as it is right about the attack's
 * images x', and for the rest the student's own prediction on the clean images is. With t* the
 * teacher's logits at x (IAD-I) or x' (AdaIAD), from epoch {@code begin} on, counted from 0:
 *
 * <pre>
 *   A = softmax(t(x'))_y ^ β                                              constant
 *   CODE    α T² KL(t*‖s(x'); T)   + α (1 − A) KL(s(x) ‖ s(x')) + (1 − α) CE(s(x), y)
 *   PAPER   α T² A KL(t*‖s(x'); T) + α (1 − A) KL(s(x) ‖ s(x')) + (1 − α) CE(s(x), y)
 * </pre>
 *
 * Before, without the second term and with A = 1. T softens the first term only; gradients flow
 * through both sides of the second; means over the batch. CODE runs the student on x for each of
 * the last two terms, the last also where α is 1; PAPER at most once.
 */
public record Introspection(
    double temperature, double alpha, double beta, int begin, Reference reference) {

  public static Introspection from(Options options, double temperature) {
    return new Introspection(
        options.number("temperature", temperature, 1e-2, 1e3),
        options.number("alpha", 1, 0, 1),
        options.number("beta", 0.1, 0, 1e3),
        options.integer("begin", 60, 0, 1_000_000),
        Reference.from(options));
  }

  /** A [N]: how far to trust a teacher that says this of the attack's images. */
  public static Tensor trust(Tensor guide, Tensor labels, double beta) {
    return guide.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1).pow(beta);
  }

  /** (1 − A) KL(s(x) ‖ s(x')), averaged over the batch. */
  public static Tensor self(Tensor trust, Tensor clean, Tensor adv) {
    return Losses.klBetweenLogits(clean, adv).mul(trust.neg().add(1)).mean();
  }

  /**
   * @param target t*, constant
   * @param guide t(x'), constant
   * @param adv s(x')
   * @param clean runs the student on x
   */
  public Loss loss(Inputs inputs, Tensor target, Tensor guide, Tensor adv, Supplier<Tensor> clean) {
    Tensor divergence = Divergence.softened(target, adv, temperature);
    boolean code = reference == Reference.CODE;
    Loss loss = new Loss();
    Tensor cleanLogits = null;
    if (inputs.epoch() > begin) {
      Tensor trust = trust(guide, inputs.labels(), beta);
      cleanLogits = clean.get();
      loss.plus("teacher", alpha, (code ? divergence : divergence.mul(trust)).mean())
          .plus("self", alpha, self(trust, cleanLogits, adv));
    } else {
      loss.plus("teacher", alpha, divergence.mean());
    }
    if (code || alpha < 1) {
      Tensor last =
          code || cleanLogits == null ? Constant.unlessWeighted(1 - alpha, clean) : cleanLogits;
      loss.plus("ce", 1 - alpha, Losses.crossEntropy(last, inputs.labels()));
    }
    return loss;
  }
}
