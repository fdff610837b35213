package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

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
  private final Network student;
  private final TeacherPair teachers;
  private final double temperature;
  private final double lambdaCe;
  private final double lambdaClean;
  private final double lambdaAdv;

  KdSwa(Options options, Setting setting) {
    student = setting.student();
    teachers = TeacherPair.of("kd-swa", setting);
    temperature = options.number("temperature", 2, 1e-2, 1e3);
    lambdaCe = options.number("lambdaCe", 0.3, 0, 1e6);
    lambdaClean = options.number("lambdaClean", 0.1, 0, 1e6);
    lambdaAdv = options.number("lambdaAdv", 0.6, 0, 1e6);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(x -> Losses.crossEntropy(student.logits(x), inputs.labels()));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor own = student.logits(adversarial);
    return new Loss()
        .plus("ce", lambdaCe, Losses.crossEntropy(own, inputs.labels()))
        .plus("clean", lambdaClean, soft(teachers.clean(), adversarial, own))
        .plus("adv", lambdaAdv, soft(teachers.adversarial(), adversarial, own));
  }

  private Tensor soft(Network teacher, Tensor images, Tensor own) {
    Tensor target = Constant.of(() -> teacher.logits(images).div(temperature).softmax(1));
    Tensor log = own.div(temperature).logSoftmax(1);
    return target.mul(log).sum(1).mean().mul(-temperature * temperature);
  }
}
