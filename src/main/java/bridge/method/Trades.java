package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;

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
  record Settings(double beta, Reference reference) implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(options.number("beta", 6, 0, 1e6), Reference.from(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new Trades(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Objective.Form climbed;

  private Trades(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    climbed = Objectives.kl(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    Tensor probabilities = Constant.of(() -> student.logits(inputs.images()).softmax(1));
    return Turn.attack(climbed.with(probabilities), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor clean = student.logits(inputs.images());
    Tensor adv = student.logits(adversarial);
    boolean code = settings.reference == Reference.CODE;
    Tensor target = code ? student.logits(inputs.images()) : clean;
    return new Loss()
        .plus("ce", 1, Losses.crossEntropy(clean, inputs.labels()))
        .plus("kl", settings.beta, Losses.klBetweenLogits(target, adv).mean());
  }
}
