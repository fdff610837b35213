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
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final double alpha;
  private final double multiplier;
  private final double logOffset;
  private final Reduction reduction;

  /** What the teacher said of these inputs, asked for the attack. */
  private Tensor said;

  private Inputs asked;

  Rslad(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("rslad", setting).network();
    classes = setting.classes();
    alpha = options.number("alpha", "5/6", 0, 1);
    multiplier = options.number("multiplier", 1, 0, 1e6);
    boolean code = Reference.from(options) == Reference.CODE;
    logOffset = options.number("logOffset", code ? 1e-5 : 0, 0, 1);
    reduction = Reduction.from(options, code ? Reduction.MEAN : Reduction.BATCHMEAN);
  }

  private Tensor ask(Inputs inputs) {
    return Constant.of(() -> teacher.logits(inputs.images()));
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    said = ask(inputs);
    asked = inputs;
    Tensor target = Constant.of(() -> said.softmax(1));
    return Optional.of(x -> Losses.kl(target, student.logits(x)));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor target = asked == inputs ? said : ask(inputs);
    said = null;
    asked = null;
    Tensor adv = student.logits(adversarial);
    Tensor nat = student.logits(inputs.images());
    return new Loss()
        .plus("adv", multiplier * alpha, apart(target, adv))
        .plus("nat", multiplier * (1 - alpha), apart(target, nat));
  }

  private Tensor apart(Tensor target, Tensor own) {
    return reduction.of(Divergence.offset(target, own, logOffset), classes);
  }
}
