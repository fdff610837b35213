package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Introspection;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Turn;
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
  record Settings(Introspection introspection) implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(Introspection.from(options, 30));
    }

    @Override
    public Method over(MethodContext context) {
      return new AdaIad(this, context);
    }

    @Override
    public Optional<String> gradientsThroughTeachers() {
      return Optional.of("the attack of ada-iad climbs the teacher's gradient");
    }
  }

  private final Introspection introspection;
  private final Network student;
  private final Network teacher;
  private final Objective.Form climbed;

  private AdaIad(Settings settings, MethodContext context) {
    introspection = settings.introspection;
    student = context.student();
    teacher = context.teacher().network();
    climbed = Objectives.disagreement(teacher, student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor x = inputs.images();
    if (introspection.reference() == Reference.CODE) {
      Constant.of(() -> student.logits(x)); // moves the batch statistics
    }
    Tensor adv = student.logits(adversarial);
    Tensor guide = Constant.of(() -> teacher.logits(adversarial));
    return introspection.loss(inputs, guide, guide, adv, () -> student.logits(x));
  }
}
