package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Balanced multi-teacher adversarial distillation (Zhao, Wang, Wei: Mitigating Accuracy-Robustness
 * Trade-off via Balanced Multi-Teacher Adversarial Distillation, TPAMI 2024): {@link Mtard} with
 * temperatures of the two teachers that bring their entropies together. The student's is 1.
 *
 * <pre>
 *   p_adv = softmax(T_adv(x') / τ_adv)    p_nat = softmax(T_nat(x) / τ_nat)    E = mean p log p
 *   τ_adv ← clamp(τ_adv − η · rate · sign(E_adv / E_nat − 1)), τ_nat likewise, the two exchanged
 * </pre>
 *
 * The temperatures move after the step's distributions were made with them. Since they begin at the
 * lowest one allowed, only the one of the teacher with less entropy leaves it.
 *
 * <p>Source: github.com/zhaoshiji123/MTARD-extension, resnet18_mtard_cifar10.py, whose E is mean p
 * log(p + 1e-5), as the loss; there η falls with the learning rate, here it follows the schedule.
 */
final class BMtard implements Method {
  private final Mtard mtard;
  private final double learnRate;
  private final double low;
  private final double high;

  /** Float64 [2]: τ_adv, τ_nat. */
  private final Tensor temperatures;

  BMtard(Options options, Setting setting) {
    mtard = new Mtard("b-mtard", options, setting);
    learnRate = options.number("temperatureLearnRate", 0.001, 0, 10);
    low = options.number("temperatureMin", 1, 1e-2, 1e3);
    high = options.number("temperatureMax", 10, low, 1e3);
    temperatures = begin(options, setting.device());
  }

  private Tensor begin(Options options, Device device) {
    double[] begin = {
      options.number("temperatureAdv", Math.clamp(1, low, high), low, high),
      options.number("temperatureNat", Math.clamp(1, low, high), low, high)
    };
    return Tensor.of(begin, 2).to(device);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return mtard.inner(inputs);
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    return mtard.outer(inputs, adversarial, this::soften);
  }

  private List<Tensor> soften(Tensor adversarial, Tensor clean, double rate) {
    Tensor now = temperatures.copy().to(adversarial.dtype());
    Tensor adv = adversarial.div(now.select(0, 0));
    Tensor nat = clean.div(now.select(0, 1));
    Tensor eAdv = negativeEntropy(adv);
    Tensor eNat = negativeEntropy(nat);
    Tensor more = Tensor.stack(List.of(eAdv.div(eNat), eNat.div(eAdv)), 0).sub(1).sign();
    temperatures.add_(more.to(DType.FLOAT64), -learnRate * rate).clamp_(low, high);
    return List.of(adv, nat);
  }

  /** A scalar: the mean over samples and classes. */
  private Tensor negativeEntropy(Tensor logits) {
    Tensor p = logits.softmax(1);
    boolean code = mtard.reference() == Reference.CODE;
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
    Map<String, Double> figures = mtard.epochSummary();
    figures.putAll(LossBalance.summary(temperatures, "temperatureAdv", "temperatureNat"));
    return figures;
  }
}
