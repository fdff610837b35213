package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

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

  private final Network student;
  private final Network teacher;
  private final Introspection introspection;

  private Iad(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("iad", setting).network();
    introspection = Introspection.from(options, 1);
  }

  /** The version that the options name. */
  static Method create(Options options, Setting setting) {
    return switch (options.choice("version", Version.I)) {
      case I -> new Iad(options, setting);
      case II -> new IadTwo(options, setting);
    };
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(x -> Losses.crossEntropy(student.logits(x), inputs.labels()));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor target = Constant.of(() -> teacher.logits(inputs.images()));
    Tensor adv = student.logits(adversarial);
    if (introspection.reference() == Reference.CODE) {
      Constant.of(() -> student.logits(adversarial)); // moves the batch statistics
    }
    Tensor guide = Constant.of(() -> teacher.logits(adversarial));
    return introspection.loss(inputs, target, guide, adv, () -> student.logits(inputs.images()));
  }
}
