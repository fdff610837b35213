package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * TRADES (Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan: Theoretically Principled Trade-off between
 * Robustness and Accuracy, ICML 2019). With s the student's logits, x' the attack's images and KL
 * batchmean:
 *
 * <pre>
 *   attack   KL(s(x) ‖ s(x')), s(x) constant
 *   student  CE(s(x), y) + β KL(s(x) ‖ s(x'))        gradients flow through both sides
 * </pre>
 *
 * β is the paper's 1/λ. Source: github.com/yaodongyu/TRADES, trades.py. CODE runs the student on x,
 * on x', then on x once more for the second term: the batch statistics move three times a step.
 * PAPER has one s(x) for both terms. In evaluation mode, which the attack's default is, s(x) does
 * not change during the attack; the code computes it anew in each of its steps.
 */
final class Trades implements Method {
  private final Network student;
  private final double beta;
  private final Reference reference;

  Trades(Options options, Setting setting) {
    Methods.refuseTeachers("trades", setting);
    student = setting.student();
    beta = options.number("beta", 6, 0, 1e6);
    reference = Reference.from(options);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    Tensor own = Constant.of(() -> student.logits(inputs.images()).softmax(1));
    return Optional.of(x -> Losses.kl(own, student.logits(x)));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor clean = student.logits(inputs.images());
    Tensor adv = student.logits(adversarial);
    Tensor target = reference == Reference.CODE ? student.logits(inputs.images()) : clean;
    return new Loss()
        .plus("ce", 1, Losses.crossEntropy(clean, inputs.labels()))
        .plus("kl", beta, Losses.klBetweenLogits(target, adv).mean());
  }
}
