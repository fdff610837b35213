package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Tensor;

/**
 * Misclassification-aware adversarial training (Wang, Zou, Yi, Bailey, Ma, Gu: Improving
 * Adversarial Robustness Requires Revisiting Misclassified Examples, ICLR 2020). With s the
 * student's logits, p = softmax(s(x)), p' = softmax(s(x')), x' the attack's images:
 *
 * <pre>
 *   attack   CE(s(x'), y)
 *   student  CE(s(x'), y) − log(1 − max_{k≠y} p'_k) + β KL(p ‖ p') (1 − p_y)     mean over the batch
 * </pre>
 *
 * Gradients flow through all of it, p and the weight 1 − p_y included. β is the paper's λ. The
 * student is run on x first, then on x'.
 *
 * <p>Source: github.com/YisenWang/MART, mart.py. CODE keeps logarithms and weight away from 0 as it
 * does: log(1.0001 − p'_k + 1e-12), log(p' + 1e-12) and 1.0000001 − p_y. PAPER is the formula, its
 * logarithms taken from the logits.
 */
final class Mart implements Method {
  record Settings(double beta, Reference reference) implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(options.number("beta", 5, 0, 1e6), Reference.from(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new Mart(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Objective.Form climbed;

  private Mart(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(inputs.labels()), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor clean = student.logits(inputs.images());
    Tensor adv = student.logits(adversarial);
    Tensor y = inputs.labels().unsqueeze(1);
    boolean code = settings.reference == Reference.CODE;
    Tensor kl = code ? guardedKl(clean, adv) : Losses.klBetweenLogits(clean, adv);
    Tensor wrongProbability =
        clean.softmax(1).gather(1, y).squeeze(1).neg().add(code ? 1.0000001 : 1);
    return new Loss()
        .plus("ce", 1, Losses.crossEntropy(adv, inputs.labels()))
        .plus("margin", 1, (code ? guardedMargin(adv, y) : margin(adv, y)).mean().neg())
        .plus("kl", settings.beta, kl.mul(wrongProbability).mean());
  }

  /** The strongest class but y. */
  private static Tensor rival(Tensor logits, Tensor y) {
    return logits.detach().scatter(1, y, Double.NEGATIVE_INFINITY).argmax(1).unsqueeze(1);
  }

  private static Tensor guardedMargin(Tensor adv, Tensor y) {
    Tensor p = adv.softmax(1).gather(1, rival(adv, y));
    return p.neg().add(1.0001).add(1e-12).log();
  }

  /** log(1 − p'_k) = log p'_y − log p''_y, where p'' is p' without its class k. */
  private static Tensor margin(Tensor adv, Tensor y) {
    Tensor without = adv.scatter(1, rival(adv, y), Double.NEGATIVE_INFINITY);
    return adv.logSoftmax(1).gather(1, y).sub(without.logSoftmax(1).gather(1, y));
  }

  private static Tensor guardedKl(Tensor clean, Tensor adv) {
    Tensor log = adv.softmax(1).add(1e-12).log();
    return clean.softmax(1).mul(clean.logSoftmax(1).sub(log)).sum(1);
  }
}
