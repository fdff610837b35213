package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

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
  private final Network student;
  private final TeacherPair teachers;
  private final double temperature;
  private final double alpha1;
  private final double alpha2;
  private final double beta;
  private final int begin;

  IadTwo(Options options, Setting setting) {
    student = setting.student();
    teachers = TeacherPair.of("iad version II", setting);
    temperature = options.number("temperature", 1, 1e-2, 1e3);
    alpha1 = options.number("alpha1", 0.5, 0, 1);
    alpha2 = options.number("alpha2", 0.25, 0, 1);
    if (alpha1 + alpha2 > 1) {
      throw new UsageException(
          "%s and %s must come to at most 1, the rest being the labels' share, found %s and %s"
              .formatted(options.path("alpha1"), options.path("alpha2"), alpha1, alpha2));
    }
    beta = options.number("beta", 0.1, 0, 1e3);
    begin = options.integer("begin", 40, 0, 1_000_000);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.of(x -> Losses.crossEntropy(student.logits(x), inputs.labels()));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor adv = student.logits(adversarial);
    Tensor robust = Constant.of(() -> teachers.adversarial().logits(adversarial));
    Tensor accurate = Constant.of(() -> teachers.clean().logits(adversarial));
    Tensor apart = Divergence.softened(robust, adv, temperature);
    Loss loss =
        new Loss()
            .plus("ce", 1 - alpha1 - alpha2, Losses.crossEntropy(adv, inputs.labels()))
            .plus("clean", alpha2, Divergence.softened(accurate, adv, temperature).mean());
    if (inputs.epoch() <= begin) {
      return loss.plus("robust", alpha1, apart.mean());
    }
    Tensor trust = Introspection.trust(robust, inputs.labels(), beta);
    Tensor own = Introspection.own(trust, student.logits(inputs.images()), adv);
    return loss.plus("robust", alpha1, apart.mul(trust).mean())
        .plus("self", alpha1 * temperature * temperature, own);
  }
}
