package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.List;

/**
 * Adversarial logit pairing (Kannan, Kurakin, Goodfellow: Adversarial Logit Pairing, 2018). With s
 * the student's logits, [x; x'] the images and the attack's images as one batch:
 *
 * <pre>
 *   attack   CE(s(x'), ŷ), ŷ the class that the student predicts of x
 *   student  CE_ε(s([x; x']), [y; y]) + λ mean (s(x) − s(x'))²
 * </pre>
 *
 * <p>CE_ε has labels smoothed by ε (1 − ε on the label and ε / K on each class); the last mean is
 * over images and classes, and gradients flow through both sides. Source: tensorflow/models,
 * research/adversarial_logit_pairing, train.py and adversarial_attack.py: one forward pass in
 * training mode, so the batch statistics are those of both halves; ε = 0.1 is its default, λ = 0.5
 * its README's. Its optimiser (RMSProp, ImageNet) is not here. The paper's text was not at hand.
 */
final class Alp implements Method {
  record Settings(double lambda, double smoothing) implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          options.number("lambda", 0.5, 0, 1e6), options.number("labelSmoothing", 0.1, 0, 1));
    }

    @Override
    public Method over(MethodContext context) {
      return new Alp(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Objective.Form climbed;

  private Alp(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    Tensor predicted = Constant.of(() -> student.logits(inputs.images()).argmax(1));
    return Turn.attack(climbed.with(predicted), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    long count = inputs.images().size(0);
    Tensor logits = student.logits(Tensor.cat(List.of(inputs.images(), adversarial), 0));
    Tensor labels = Tensor.cat(List.of(inputs.labels(), inputs.labels()), 0);
    Tensor difference = logits.narrow(0, 0, count).sub(logits.narrow(0, count, count));
    double smoothing = settings.smoothing;
    return new Loss()
        .plus("ce", 1 - smoothing, Losses.crossEntropy(logits, labels))
        .plus("smooth", smoothing, () -> logits.logSoftmax(1).mean().neg())
        .plus("pair", settings.lambda, difference.pow(2).mean());
  }
}
