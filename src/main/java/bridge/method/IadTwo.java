package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Introspection;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.method.parts.Teachers;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;

/**
 * Introspective adversarial distillation, version II: a robust teacher r and an accurate one c, all
 * asked about the attack's images x'; from epoch {@code begin} on, counted from 0:
 *
 * <pre>
 *   attack   CE(s(x'), y)                              A = softmax(r(x'))_y ^ β, constant
 *   student  (1 − α₁ − α₂) CE(s(x'), y) + α₂ T² KL(c(x') ‖ s(x'); T)
 *            + α₁ T² [A KL(r(x') ‖ s(x'); T) + (1 − A) KL(s(x) ‖ s(x'))]
 * </pre>
 *
 * Before, without the last term and with A = 1: AKD² (Chen et al. 2021), which a {@code begin} past
 * the last epoch trains throughout. T softens the teachers' terms only; gradients flow through both
 * sides of the last; means over the batch.
 *
 * <p>Source: github.com/ZFancy/IAD, IAD-II.py; the student is run on x' first, from {@code begin}
 * on then on x. Its T² in front of the student's own term, which has no temperature, is kept. Its
 * published versions differ in {@code begin}: 40 in commit 2aaa20d, the default here, and 0 in
 * 832e401. The paper's formula for version II was not at hand, so whether it differs is not known,
 * and there is no {@code reference}.
 */
final class IadTwo implements Method {
  record Settings(double temperature, double alpha1, double alpha2, double beta, int begin)
      implements Iad.Settings {
    static Settings from(Options options) {
      double temperature = options.number("temperature", 1, 1e-2, 1e3);
      double alpha1 = options.number("alpha1", 0.5, 0, 1);
      double alpha2 = options.number("alpha2", 0.25, 0, 1);
      if (alpha1 + alpha2 > 1) {
        throw new UsageException(
            "%s and %s must come to at most 1, the rest being the labels' share, found %s and %s"
                .formatted(options.path("alpha1"), options.path("alpha2"), alpha1, alpha2));
      }
      double beta = options.number("beta", 0.1, 0, 1e3);
      int begin = options.integer("begin", 40, 0, 1_000_000);
      return new Settings(temperature, alpha1, alpha2, beta, begin);
    }

    @Override
    public Teachers teachers() {
      return Teachers.CLEAN_AND_ADVERSARIAL;
    }

    @Override
    public Method over(MethodContext context) {
      return new IadTwo(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network robust;
  private final Network accurate;
  private final Objective.Form climbed;

  private IadTwo(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    robust = context.teacher(Teacher.Role.ADVERSARIAL);
    accurate = context.teacher(Teacher.Role.CLEAN);
    climbed = Objectives.crossEntropy(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.attack(climbed.with(inputs.labels()), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    double temperature = settings.temperature;
    double alpha1 = settings.alpha1;
    double alpha2 = settings.alpha2;
    Tensor y = inputs.labels();
    Tensor adv = student.logits(adversarial);
    Tensor guide = Constant.of(() -> robust.logits(adversarial));
    Tensor divergence = Divergence.softened(guide, adv, temperature);
    Loss loss =
        new Loss()
            .plus("ce", 1 - alpha1 - alpha2, () -> Losses.crossEntropy(adv, y))
            .plus("clean", alpha2, () -> divergence(accurate, adversarial, adv));
    if (inputs.epoch() <= settings.begin) {
      return loss.plus("robust", alpha1, divergence.mean());
    }
    Tensor trust = Introspection.trust(guide, y, settings.beta);
    Tensor self = Introspection.self(trust, student.logits(inputs.images()), adv);
    return loss.plus("robust", alpha1, divergence.mul(trust).mean())
        .plus("self", alpha1 * temperature * temperature, self);
  }

  private Tensor divergence(Network teacher, Tensor images, Tensor logits) {
    Tensor target = Constant.of(() -> teacher.logits(images));
    return Divergence.softened(target, logits, settings.temperature).mean();
  }
}
