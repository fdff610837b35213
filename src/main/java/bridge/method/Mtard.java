package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Reduction;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Multi-teacher adversarial robustness distillation (Zhao, Yu, Sun, Zhang, Wei: Enhanced Accuracy
 * and Robustness via Multi-Teacher Adversarial Distillation, ECCV 2022): a robust teacher T_adv is
 * asked about the attack's images x', an accurate one T_nat about the clean ones x.
 *
 * <pre>
 *   L_adv = m/K · KL(T_adv(x') ‖ s(x'))       L_nat = m/K · KL(T_nat(x) ‖ s(x))       batchmean
 *   L = w_adv L_adv + w_nat L_nat             w: {@link LossBalance}
 * </pre>
 *
 * The attack climbs the cross-entropy of the student. The student is run on x' first, then on x.
 *
 * <p>Source: github.com/zhaoshiji123/MTARD, mtard/mtard_resnet18_cifar10.py and _cifar100.py; the
 * multiplier m is 1 in the first, 10 in the second. Their scripts let r fall with the learning rate
 * at epochs 215, 260 and 285; here it follows the schedule. The code's KL(p ‖ q) is Σ p (log(p +
 * 1e-5) − log q), more by a constant in the student, which its weights see; the paper's is exact.
 */
final class Mtard implements Method {

  /** Divides the logits of the adversarial and the clean teacher by temperatures. */
  interface Softening {
    /**
     * @param rate the factor of the learning rate at this step
     */
    List<Tensor> soften(Tensor adversarial, Tensor clean, double rate);
  }

  /** What the code adds to a probability before it takes the logarithm. */
  static final double CODE_OFFSET = 1e-5;

  private final Network student;
  private final TeacherPair teachers;
  private final Reference reference;
  private final double multiplier;
  private final LossBalance balance;

  Mtard(Options options, Setting setting) {
    this("mtard", options, setting);
  }

  /** For B-MTARD, which reads these options and its own. */
  Mtard(String name, Options options, Setting setting) {
    student = setting.student();
    teachers = TeacherPair.of(name, setting);
    reference = Reference.from(options);
    multiplier = options.number("multiplier", 1, 0, 1e6);
    double nat = options.number("weightNat", 0.5, 0, 1);
    balance = LossBalance.from(options, setting.device(), 1 - nat, nat);
  }

  Reference reference() {
    return reference;
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(x -> Losses.crossEntropy(student.logits(x), inputs.labels()));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    return outer(inputs, adversarial, (adv, nat, rate) -> List.of(adv, nat));
  }

  Loss outer(Inputs inputs, Tensor adversarial, Softening softening) {
    Tensor sAdv = student.logits(adversarial);
    Tensor sNat = student.logits(inputs.images());
    List<Tensor> teach;
    try (NoGrad _ = NoGrad.enter()) {
      teach =
          softening.soften(
              teachers.adversarial().logits(adversarial),
              teachers.clean().logits(inputs.images()),
              inputs.rate());
    }
    Tensor adv = divergence(teach.get(0), sAdv);
    Tensor nat = divergence(teach.get(1), sNat);
    List<Tensor> weights = balance.weigh(inputs.rate(), adv, nat);
    return new Loss()
        .plus("adv", 1, adv.mul(weights.get(0)))
        .plus("nat", 1, nat.mul(weights.get(1)));
  }

  private Tensor divergence(Tensor teacher, Tensor student) {
    Tensor perSample =
        reference == Reference.CODE
            ? Divergence.offset(teacher, student, CODE_OFFSET)
            : Divergence.softened(teacher, student, 1);
    return Reduction.MEAN.of(perSample, student.size(1)).mul(multiplier);
  }

  @Override
  public Map<String, Tensor> state() {
    return balance.state();
  }

  @Override
  public Map<String, Double> epochSummary() {
    return balance.summary("weightAdv", "weightNat");
  }
}
