package bridge.method;

import bridge.Options;
import bridge.loss.Reduction;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Rectification;

/**
 * Dynamic rectification knowledge distillation (Amik, Tasin, Ahmed, Elahi, Mohammed 2022), without
 * an attack: where the teacher t is wrong, the logits of its prediction and of the label change
 * places before the student s learns from it.
 *
 * <pre>
 *   student  (1 − α) CE(s(x), y) + α m T² KL(R(t(x), y)/T ‖ s(x)/T)
 * </pre>
 *
 * <p>Source: github.com/Amik-TJ/dynamic_rectification_knowledge_distillation, the notebook and its
 * parameter files. Its KL is the mean over batch and classes (reduction MEAN), which its multiplier
 * m partly makes up for; the defaults are its ResNet-18's (α 0.95, T 6, m 50), MobileNetV2's and
 * ShuffleNetV2's are T 20, m 1. It writes into the teacher's logits, here they stay; it can rectify
 * the student's instead of the teacher's, which is left out. The paper's abstract, which was all of
 * it at hand, says the same of the rectified teacher and has no formula, so there is no {@code
 * reference}.
 */
record Drkd(double temperature, double alpha, double multiplier, Reduction reduction)
    implements MethodSettings {
  static Drkd from(Options options) {
    return new Drkd(
        options.number("temperature", 6, 1e-2, 1e3),
        options.number("alpha", 0.95, 0, 1),
        options.number("multiplier", 50, 0, 1e6),
        Reduction.from(options, Reduction.MEAN));
  }

  /** {@link Kd} with other factors, whose teacher is rectified. */
  @Override
  public Method over(MethodContext context) {
    Rectification swap = new Rectification(Rectification.Rule.SWAP, 1, 0, temperature);
    Kd.Settings kd = new Kd.Settings(temperature, alpha * multiplier, 1 - alpha, reduction);
    return new Kd(kd, context, swap::apply);
  }
}
