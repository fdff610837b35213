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
import java.util.Optional;

/**
 * Adaptive adversarial distillation (Huang, Chen, Wang, Lu, Cheng, Wang: Boosting Accuracy and
 * Robustness of Student Models via Adaptive Adversarial Distillation, CVPR 2023): the attack looks
 * for images that student and teacher disagree about, and the teacher is asked about those.
 *
 * <pre>
 *   attack   KL(t(x') ‖ s(x'))                               gradients flow through both networks
 *   student  α KL(t(x') ‖ s(x')) + (1 − α) KL(t(x) ‖ s(x))   the teacher constant
 * </pre>
 *
 * <p>Source: github.com/boyellow/AdaAD, main.py and AT_helper.py. Its KL is the mean over batch and
 * classes on CIFAR-10, CODE's default, and batchmean on CIFAR-100, as in the paper and PAPER's
 * default. CODE runs the student on x first, even where α is 1, then on x'; PAPER on x only for α
 * &lt; 1.
 */
final class AdaAd implements Method {
  record Settings(double alpha, Reference reference, Reduction reduction)
      implements MethodSettings {
    static Settings from(Options options) {
      double alpha = options.number("alpha", 1, 0, 1);
      Reference reference = Reference.from(options);
      return new Settings(alpha, reference, reference.reduction(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new AdaAd(this, context);
    }

    @Override
    public Optional<String> gradientsThroughTeachers() {
      return Optional.of("the attack of ada-ad climbs the teacher's gradient");
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final Objective.Form climbed;

  private AdaAd(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    teacher = context.teacher().network();
    classes = context.classes();
    climbed = Objectives.disagreement(teacher, student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(), adversarial -> descend(inputs.images(), adversarial));
  }

  private Loss descend(Tensor x, Tensor adversarial) {
    double alpha = settings.alpha;
    if (settings.reference == Reference.PAPER && alpha == 1) {
      return new Loss().plus("adv", 1, divergence(adversarial, student.logits(adversarial)));
    }
    Tensor nat = Constant.unlessWeighted(1 - alpha, () -> student.logits(x));
    Tensor adv = student.logits(adversarial);
    return new Loss()
        .plus("adv", alpha, () -> divergence(adversarial, adv))
        .plus("nat", 1 - alpha, () -> divergence(x, nat));
  }

  private Tensor divergence(Tensor images, Tensor logits) {
    Tensor target = Constant.of(() -> teacher.logits(images));
    return settings.reduction.of(Divergence.softened(target, logits, 1), classes);
  }
}
