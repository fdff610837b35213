package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
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
 * Robust soft label adversarial distillation (Zi, Zhao, Ma, Jiang: Revisiting Adversarial
 * Robustness Distillation, ICCV 2021): the teacher's prediction on the clean images takes the place
 * of the labels, in the attack too.
 *
 * <pre>
 *   attack   KL(t(x) ‖ s(x'))
 *   student  m [α KL(t(x) ‖ s(x')) + (1 − α) KL(t(x) ‖ s(x))]
 * </pre>
 *
 * The student is run on x' first, then on x; the teacher once, on x, before the attack.
 *
 * <p>Source: github.com/zibojia/RSLAD, resnet18_rslad_cifar10.py and its siblings. The defaults of
 * CODE are theirs: the outer KL is a mean over batch and classes (reduction MEAN) with log(p +
 * 1e-5) for log p (logOffset), which moves its value only; the multiplier m is 1 on CIFAR-10, 10 on
 * CIFAR-100. PAPER has the formula: reduction BATCHMEAN, logOffset 0.
 */
final class Rslad implements Method {
  record Settings(double alpha, double multiplier, double logOffset, Reduction reduction)
      implements MethodSettings {
    static Settings from(Options options) {
      double alpha = options.number("alpha", "5/6", 0, 1);
      double multiplier = options.number("multiplier", 1, 0, 1e6);
      Reference reference = Reference.from(options);
      double offset = reference == Reference.CODE ? 1e-5 : 0;
      double logOffset = options.number("logOffset", offset, 0, 1);
      return new Settings(alpha, multiplier, logOffset, reference.reduction(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new Rslad(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final Objective.Form climbed;

  private Rslad(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    teacher = context.teacher().network();
    classes = context.classes();
    climbed = Objectives.kl(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    Tensor target = Constant.of(() -> teacher.logits(inputs.images()));
    Tensor probabilities = Constant.of(() -> target.softmax(1));
    return Turn.attack(
        climbed.with(probabilities), adversarial -> descend(inputs, target, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor target, Tensor adversarial) {
    double alpha = settings.alpha;
    double multiplier = settings.multiplier;
    Tensor adv = student.logits(adversarial);
    Tensor nat = student.logits(inputs.images());
    return new Loss()
        .plus("adv", multiplier * alpha, () -> divergence(target, adv))
        .plus("nat", multiplier * (1 - alpha), () -> divergence(target, nat));
  }

  private Tensor divergence(Tensor target, Tensor logits) {
    return settings.reduction.of(Divergence.offset(target, logits, settings.logOffset), classes);
  }
}
