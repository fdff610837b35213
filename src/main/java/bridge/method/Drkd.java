package bridge.method;

import bridge.Options;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Rectification;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;

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
final class Drkd implements Method {
  record Settings(double temperature, double alpha, double multiplier, Reduction reduction)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          options.number("temperature", 6, 1e-2, 1e3),
          options.number("alpha", 0.95, 0, 1),
          options.number("multiplier", 50, 0, 1e6),
          Reduction.from(options, Reduction.MEAN));
    }

    @Override
    public Method over(MethodContext context) {
      return new Drkd(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final Rectification rectification;

  private Drkd(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    teacher = context.teacher().network();
    classes = context.classes();
    rectification = new Rectification(Rectification.Rule.SWAP, 1, 0, settings.temperature);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.withoutAttack(() -> descend(inputs.images(), inputs.labels()));
  }

  private Loss descend(Tensor x, Tensor y) {
    Tensor logits = student.logits(x);
    Tensor target = Constant.of(() -> rectification.apply(teacher.logits(x), y));
    Tensor kd = Divergence.softened(target, logits, settings.temperature);
    return new Loss()
        .plus("ce", 1 - settings.alpha, Losses.crossEntropy(logits, y))
        .plus("kd", settings.alpha * settings.multiplier, settings.reduction.of(kd, classes));
  }
}
