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

/**
 * Adversarial training (Madry et al., ICLR 2018, equation 2.1), also called SAT: the attack climbs
 * the cross-entropy, the student descends it on the attack's images only.
 *
 * <p>Start, step and mode are the recipe's {@code attack}. Weight decay is the optimiser's and
 * covers every parameter, as in the PyTorch scripts; the authors' TensorFlow code decays the
 * weights of convolutions and linear layers only. With {@code cleanPass} the student in training
 * mode is also shown the clean images, after the attack's, for nothing but its batch statistics: so
 * does github.com/boyellow/AdaAD, main.py, Plain_Madry.
 */
final class PgdAt implements Method {
  record Settings(boolean cleanPass) implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(options.flag("cleanPass", false));
    }

    @Override
    public Method over(MethodContext context) {
      return new PgdAt(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Objective.Form climbed;

  private PgdAt(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(inputs.labels()), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor logits = student.logits(adversarial);
    if (settings.cleanPass) {
      Constant.of(() -> student.logits(inputs.images()));
    }
    return new Loss().plus("ce", 1, Losses.crossEntropy(logits, inputs.labels()));
  }
}
