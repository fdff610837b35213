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
 * Adversarially robust distillation (Goldblum, Fowl, Feizi, Goldstein, AAAI 2020): the student's
 * prediction on the attack's images x' is drawn to the teacher's on the clean ones.
 *
 * <pre>
 *   attack   CE(s(x'), y)
 *   student  α T² KL(t(x)/T ‖ s(x')/T) + (1 − α) CE(s(x), y)
 * </pre>
 *
 * <p>Source: github.com/goldblum/AdversariallyRobustDistillation, main.py. Its KL is the mean over
 * batch and classes, so less than the paper's by the number of classes: reduction MEAN is CODE's
 * default, BATCHMEAN is PAPER's, and that of the ARD in github.com/ZFancy/IAD, ARD.py, whose T is
 * 1. CODE runs the student on x' first, then on x even where α is 1, which moves the batch
 * statistics; PAPER does so only for α &lt; 1. The attack of both scripts works in training mode,
 * from UNIFORM_UNCLAMPED.
 */
final class Ard implements Method {
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final double temperature;
  private final double alpha;
  private final Reference reference;
  private final Reduction reduction;

  Ard(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("ard", setting).network();
    classes = setting.classes();
    temperature = options.number("temperature", 30, 1e-2, 1e3);
    alpha = options.number("alpha", 1, 0, 1);
    reference = Reference.from(options);
    boolean code = reference == Reference.CODE;
    reduction = Reduction.from(options, code ? Reduction.MEAN : Reduction.BATCHMEAN);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(x -> Losses.crossEntropy(student.logits(x), inputs.labels()));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor adv = student.logits(adversarial);
    Tensor target = Constant.of(() -> teacher.logits(inputs.images()));
    Tensor apart = Divergence.softened(target, adv, temperature);
    Loss loss = new Loss().plus("kd", alpha, reduction.of(apart, classes));
    if (reference == Reference.PAPER && alpha == 1) {
      return loss;
    }
    Tensor clean = Constant.unlessWeighted(1 - alpha, () -> student.logits(inputs.images()));
    return loss.plus("ce", 1 - alpha, Losses.crossEntropy(clean, inputs.labels()));
  }
}
