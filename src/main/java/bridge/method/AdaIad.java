package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * AdaIAD (Huang et al., CVPR 2023): {@link AdaAd}'s attack, then IAD-I's loss ({@link
 * Introspection}) with the teacher asked about the attack's images throughout.
 *
 * <p>Source: github.com/boyellow/AdaAD, main.py, method AdaAD_with_IAD1, whose temperature of 30 is
 * the default. CODE runs the student on x (without using what it says), on x', then on x as {@link
 * Introspection} tells; PAPER has neither the first pass nor the teacher's term unweighted.
 */
final class AdaIad implements Method {
  private final Network student;
  private final Network teacher;
  private final Introspection introspection;

  AdaIad(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("ada-iad", setting).network();
    introspection = Introspection.from(options, 30);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(AdaAd.disagreement(teacher, student));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor x = inputs.images();
    if (introspection.reference() == Reference.CODE) {
      Constant.of(() -> student.logits(x)); // moves the batch statistics
    }
    Tensor adv = student.logits(adversarial);
    Tensor guide = Constant.of(() -> teacher.logits(adversarial));
    return introspection.loss(inputs, guide, guide, adv, () -> student.logits(x));
  }
}
