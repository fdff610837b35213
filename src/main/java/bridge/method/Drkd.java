package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Reduction;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

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
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final double temperature;
  private final double alpha;
  private final double multiplier;
  private final Reduction reduction;
  private final Rectification rectification;

  Drkd(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("drkd", setting).network();
    classes = setting.classes();
    temperature = options.number("temperature", 6, 1e-2, 1e3);
    alpha = options.number("alpha", 0.95, 0, 1);
    multiplier = options.number("multiplier", 50, 0, 1e6);
    reduction = Reduction.from(options, Reduction.MEAN);
    rectification = new Rectification(Rectification.Rule.SWAP, 1, 0, temperature);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.empty();
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor own = student.logits(inputs.images());
    Tensor target =
        Constant.of(() -> rectification.apply(teacher.logits(inputs.images()), inputs.labels()));
    Tensor apart = Divergence.softened(target, own, temperature);
    return new Loss()
        .plus("ce", 1 - alpha, Losses.crossEntropy(own, inputs.labels()))
        .plus("kd", alpha * multiplier, reduction.of(apart, classes));
  }
}
