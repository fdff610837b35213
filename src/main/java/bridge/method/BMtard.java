package bridge.method;

import bridge.Options;
import bridge.method.parts.Inputs;
import bridge.method.parts.LossBalance;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Turn;
import bridge.torch.DType;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;

/**
 * Balanced multi-teacher adversarial distillation (Zhao, Wang, Wei: Mitigating Accuracy-Robustness
 * Trade-off via Balanced Multi-Teacher Adversarial Distillation, TPAMI 2024): {@link Mtard} with
 * temperatures of the two teachers that bring their entropies together. The student's is 1.
 *
 * <pre>
 *   p_adv = softmax(T_adv(x') / τ_adv)    p_nat = softmax(T_nat(x) / τ_nat)    E = mean p log p
 *   τ_adv ← clamp(τ_adv − η · f · sign(E_adv / E_nat − 1)), τ_nat likewise, the two exchanged
 * </pre>
 *
 * The temperatures move after the step's distributions were made with them. Since they begin at the
 * lowest one allowed, only the one of the teacher with less entropy leaves it.
 *
 * <p>Source: github.com/zhaoshiji123/MTARD-extension, resnet18_mtard_cifar10.py, whose E is mean p
 * log(p + 1e-5), as the loss; there η falls with the learning rate, here it follows the schedule.
 */
final class BMtard implements Method {

  /**
   * @param learnRate η
   * @param low the least temperature
   * @param initial τ_adv and τ_nat before the first step
   */
  record Settings(
      Mtard.Settings mtard, double learnRate, double low, double high, InitialTemperatures initial)
      implements MethodSettings {
    static Settings from(Options options) {
      Mtard.Settings mtard = Mtard.Settings.from(options);
      double learnRate = options.number("temperatureLearnRate", 0.001, 0, 10);
      double low = options.number("temperatureMin", 1, 1e-2, 1e3);
      double high = options.number("temperatureMax", 10, low, 1e3);
      return new Settings(
          mtard, learnRate, low, high, InitialTemperatures.from(options, low, high));
    }

    @Override
    public Method over(MethodContext context) {
      return new BMtard(this, context);
    }
  }

  private record InitialTemperatures(double adv, double nat) {
    static InitialTemperatures from(Options options, double low, double high) {
      double one = Math.clamp(1, low, high);
      return new InitialTemperatures(
          options.number("temperatureAdv", one, low, high),
          options.number("temperatureNat", one, low, high));
    }
  }

  private final Settings settings;
  private final Mtard mtard;

  /** Float64 [2]: τ_adv, τ_nat. */
  private final Tensor temperatures;

  private BMtard(Settings settings, MethodContext context) {
    this.settings = settings;
    mtard = new Mtard(settings.mtard, context, this::soften);
    InitialTemperatures initial = settings.initial;
    temperatures = Tensor.of(new double[] {initial.adv, initial.nat}, 2).to(context.device());
  }

  @Override
  public Turn begin(Inputs inputs) {
    return mtard.begin(inputs);
  }

  private List<Tensor> soften(Tensor adversarial, Tensor clean, double scheduleFactor) {
    Tensor current = temperatures.copy().to(adversarial.dtype());
    Tensor adv = adversarial.div(current.select(0, 0));
    Tensor nat = clean.div(current.select(0, 1));
    Tensor eAdv = negativeEntropy(adv);
    Tensor eNat = negativeEntropy(nat);
    Tensor direction = Tensor.stack(List.of(eAdv.div(eNat), eNat.div(eAdv)), 0).sub(1).sign();
    temperatures
        .add_(direction.to(DType.FLOAT64), -settings.learnRate * scheduleFactor)
        .clamp_(settings.low, settings.high);
    return List.of(adv, nat);
  }

  /** A scalar: the mean over samples and classes. */
  private Tensor negativeEntropy(Tensor logits) {
    Tensor p = logits.softmax(1);
    boolean code = settings.mtard.reference() == Reference.CODE;
    return p.mul(code ? p.add(Mtard.CODE_OFFSET).log() : logits.logSoftmax(1)).mean();
  }

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = mtard.state();
    state.put("temperatures", temperatures);
    return state;
  }

  @Override
  public Map<String, Double> epochSummary() {
    Map<String, Double> summary = mtard.epochSummary();
    summary.putAll(LossBalance.summary(temperatures, "temperatureAdv", "temperatureNat"));
    return summary;
  }
}
