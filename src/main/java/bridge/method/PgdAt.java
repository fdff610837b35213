package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

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
  private final Network student;
  private final boolean cleanPass;

  PgdAt(Options options, Setting setting) {
    Methods.refuseTeachers("pgd-at", setting);
    student = setting.student();
    cleanPass = options.flag("cleanPass", false);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(x -> Losses.crossEntropy(student.logits(x), inputs.labels()));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor logits = student.logits(adversarial);
    if (cleanPass) {
      Constant.of(() -> student.logits(inputs.images()));
    }
    return new Loss().plus("ce", 1, Losses.crossEntropy(logits, inputs.labels()));
  }
}
