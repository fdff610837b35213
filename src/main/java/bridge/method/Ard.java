package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;

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
  record Settings(double temperature, double alpha, Reference reference, Reduction reduction)
      implements MethodSettings {
    static Settings from(Options options) {
      double temperature = options.number("temperature", 30, 1e-2, 1e3);
      double alpha = options.number("alpha", 1, 0, 1);
      Reference reference = Reference.from(options);
      return new Settings(temperature, alpha, reference, reference.reduction(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new Ard(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final Objective.Form climbed;

  private Ard(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    teacher = context.teacher().network();
    classes = context.classes();
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(inputs.labels()), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor adv = student.logits(adversarial);
    double alpha = settings.alpha;
    Loss loss = new Loss().plus("kd", alpha, () -> divergence(inputs.images(), adv));
    if (settings.reference == Reference.PAPER && alpha == 1) {
      return loss;
    }
    Tensor clean = Constant.unlessWeighted(1 - alpha, () -> student.logits(inputs.images()));
    return loss.plus("ce", 1 - alpha, () -> Losses.crossEntropy(clean, inputs.labels()));
  }

  private Tensor divergence(Tensor x, Tensor adv) {
    Tensor target = Constant.of(() -> teacher.logits(x));
    Tensor kd = Divergence.softened(target, adv, settings.temperature);
    return settings.reduction.of(kd, classes);
  }
}
