package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Introspection;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Teachers;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;

/**
 * Introspective adversarial distillation, version I (Zhu, Yao, Han, Zhang, Liu, Niu, Zhou, Xu,
 * Yang: Reliable Adversarial Distillation with Unreliable Teachers, ICLR 2022): ARD in which the
 * teacher is trusted as far as {@link Introspection} says, asked about the clean images. Version II
 * is {@link IadTwo}.
 *
 * <p>The attack climbs CE(s(x'), y). Source: github.com/ZFancy/IAD, IAD-I.py. CODE runs the student
 * on x', on x' again (without using what it says), then on x as {@link Introspection} tells; PAPER
 * once on x'. The script's attack works in training mode, from UNIFORM_UNCLAMPED.
 */
final class Iad implements Method {
  /** The paper's two forms. */
  enum Version {
    /** From ARD: one teacher. */
    I,
    /** From AKD²: a robust teacher, an accurate one and the labels. */
    II
  }

  /** Those of the version that the option {@code version} names. */
  interface Settings extends MethodSettings {
    Teachers teachers();

    static Settings from(Options options) {
      return switch (options.choice("version", Version.I)) {
        case I -> new VersionOne(Introspection.from(options, 1));
        case II -> IadTwo.Settings.from(options);
      };
    }
  }

  private record VersionOne(Introspection introspection) implements Settings {
    @Override
    public Teachers teachers() {
      return Teachers.ONE;
    }

    @Override
    public Method over(MethodContext context) {
      return new Iad(introspection, context);
    }
  }

  private final Introspection introspection;
  private final Network student;
  private final Network teacher;
  private final Objective.Form climbed;

  private Iad(Introspection introspection, MethodContext context) {
    this.introspection = introspection;
    student = context.student();
    teacher = context.teacher().network();
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(inputs.labels()), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor target = Constant.of(() -> teacher.logits(inputs.images()));
    Tensor adv = student.logits(adversarial);
    if (introspection.reference() == Reference.CODE) {
      Constant.of(() -> student.logits(adversarial)); // moves the batch statistics
    }
    Tensor guide = Constant.of(() -> teacher.logits(adversarial));
    return introspection.loss(inputs, target, guide, adv, () -> student.logits(inputs.images()));
  }
}
