package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Objectives;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.LossBalance;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Teacher;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;

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

  record Settings(
      Reference reference, double multiplier, double weightNat, LossBalance.Settings balance)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          Reference.from(options),
          options.number("multiplier", 1, 0, 1e6),
          options.number("weightNat", 0.5, 0, 1),
          LossBalance.Settings.from(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new Mtard(this, context, (adversarial, clean, _) -> List.of(adversarial, clean));
    }
  }

  /** Divides the logits of the adversarial and the clean teacher by temperatures. */
  interface Softening {
    /**
     * @param scheduleFactor of the learning rate at this step
     */
    List<Tensor> soften(Tensor adversarial, Tensor clean, double scheduleFactor);
  }

  /** What the code adds to a probability before it takes the logarithm. */
  static final double CODE_OFFSET = 1e-5;

  private final Settings settings;
  private final Network student;
  private final Network robust;
  private final Network accurate;
  private final Softening softening;
  private final LossBalance balance;
  private final Objective.Form climbed;

  Mtard(Settings settings, MethodContext context, Softening softening) {
    this.settings = settings;
    this.softening = softening;
    student = context.student();
    robust = context.teacher(Teacher.Role.ADVERSARIAL);
    accurate = context.teacher(Teacher.Role.CLEAN);
    double nat = settings.weightNat;
    balance = settings.balance.over(context.device(), 1 - nat, nat);
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(inputs.labels()), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    double factor = inputs.scheduleFactor();
    Tensor sAdv = student.logits(adversarial);
    Tensor sNat = student.logits(inputs.images());
    List<Tensor> targets;
    try (NoGrad _ = NoGrad.enter()) {
      targets =
          softening.soften(robust.logits(adversarial), accurate.logits(inputs.images()), factor);
    }
    Tensor adv = divergence(targets.get(0), sAdv);
    Tensor nat = divergence(targets.get(1), sNat);
    List<Tensor> weights = balance.weigh(factor, adv, nat);
    return new Loss()
        .plus("adv", 1, adv.mul(weights.get(0)))
        .plus("nat", 1, nat.mul(weights.get(1)));
  }

  private Tensor divergence(Tensor teacher, Tensor student) {
    Tensor perSample =
        settings.reference == Reference.CODE
            ? Divergence.offset(teacher, student, CODE_OFFSET)
            : Divergence.softened(teacher, student, 1);
    return Reduction.MEAN.of(perSample, student.size(1)).mul(settings.multiplier);
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
