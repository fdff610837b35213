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
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final double alpha;
  private final Reference reference;
  private final Reduction reduction;

  AdaAd(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("ada-ad", setting).network();
    classes = setting.classes();
    alpha = options.number("alpha", 1, 0, 1);
    reference = Reference.from(options);
    boolean code = reference == Reference.CODE;
    reduction = Reduction.from(options, code ? Reduction.MEAN : Reduction.BATCHMEAN);
  }

  static Optional<String> throughTeacher(Options options) {
    return Optional.of(
        "the attack of %s climbs the teacher's gradient".formatted(options.text("name", null)));
  }

  /** KL(t(x') ‖ s(x')), batchmean, to be climbed through both networks. */
  static Objective disagreement(Network teacher, Network student) {
    return x -> Losses.klBetweenLogits(teacher.logits(x), student.logits(x)).mean();
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(disagreement(teacher, student));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    if (reference == Reference.PAPER && alpha == 1) {
      return new Loss().plus("adv", 1, apart(adversarial, student.logits(adversarial)));
    }
    Tensor x = inputs.images();
    Tensor nat = Constant.unlessWeighted(1 - alpha, () -> student.logits(x));
    Tensor adv = student.logits(adversarial);
    return new Loss()
        .plus("adv", alpha, apart(adversarial, adv))
        .plus("nat", 1 - alpha, apart(x, nat));
  }

  private Tensor apart(Tensor images, Tensor own) {
    Tensor target = Constant.of(() -> teacher.logits(images));
    return reduction.of(Divergence.softened(target, own, 1), classes);
  }
}
