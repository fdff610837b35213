package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;

/**
 * Adversarial training with learned smoothening (Chen, Zhang, Liu, Chang, Wang: Robust overfitting
 * may be mitigated by properly learned smoothening, ICLR 2021), KD+SWA: on the attack's images x'
 * alone, for both teachers too,
 *
 * <pre>
 *   L = λ_ce CE(s(x'), y) + λ_clean H_T(t_clean(x'), s(x')) + λ_adv H_T(t_adv(x'), s(x'))
 *   H_T(t, s) = −T² mean_b Σ_c softmax(t/T) log softmax(s/T)
 * </pre>
 *
 * <p>H is the cross-entropy, as in the released code (VITA-Group/Alleviate-Robust-Overfitting,
 * utils.py): more than KL by the teacher's entropy, which no gradient sees. The attack climbs the
 * cross-entropy of the student from a uniform start and in training mode, and the student's weights
 * are averaged after every epoch from the 56th on: the recipe's {@code attack} and {@code average}.
 * Of the paper's text only the abstract was at hand, so whether a formula differs is not known, and
 * there is no {@code reference}.
 */
final class KdSwa implements Method {
  record Settings(double temperature, double lambdaCe, double lambdaClean, double lambdaAdv)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          options.number("temperature", 2, 1e-2, 1e3),
          options.number("lambdaCe", 0.3, 0, 1e6),
          options.number("lambdaClean", 0.1, 0, 1e6),
          options.number("lambdaAdv", 0.6, 0, 1e6));
    }

    @Override
    public Method over(MethodContext context) {
      return new KdSwa(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network robust;
  private final Network accurate;
  private final Objective.Form climbed;

  private KdSwa(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    robust = context.teacher(Teacher.Role.ADVERSARIAL);
    accurate = context.teacher(Teacher.Role.CLEAN);
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    Tensor y = inputs.labels();
    return Turn.attack(climbed.with(y), adversarial -> descend(adversarial, y));
  }

  private Loss descend(Tensor adversarial, Tensor y) {
    Tensor logits = student.logits(adversarial);
    return new Loss()
        .plus("ce", settings.lambdaCe, () -> Losses.crossEntropy(logits, y))
        .plus("clean", settings.lambdaClean, () -> softCrossEntropy(accurate, adversarial, logits))
        .plus("adv", settings.lambdaAdv, () -> softCrossEntropy(robust, adversarial, logits));
  }

  private Tensor softCrossEntropy(Network teacher, Tensor images, Tensor logits) {
    double t = settings.temperature;
    Tensor target = Constant.of(() -> teacher.logits(images).div(t).softmax(1));
    Tensor log = logits.div(t).logSoftmax(1);
    return target.mul(log).sum(1).mean().mul(-t * t);
  }
}
