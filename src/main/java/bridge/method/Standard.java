package bridge.method;

import bridge.Options;
import bridge.loss.Losses;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Tensor;

/** Natural training: the mean cross-entropy on clean images, no attack. */
final class Standard implements Method {
  record Settings() implements MethodSettings {
    static Settings from(Options options) {
      return new Settings();
    }

    @Override
    public Method over(MethodContext context) {
      return new Standard(context.student());
    }
  }

  private final Network student;

  private Standard(Network student) {
    this.student = student;
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.withoutAttack(
        () -> {
          Tensor logits = student.logits(inputs.images());
          return new Loss().plus("ce", 1, Losses.crossEntropy(logits, inputs.labels()));
        });
  }
}
