package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Reduction;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * Knowledge distillation (Hinton, Vinyals, Dean 2015), without an attack. With s, t the logits of
 * student and teacher:
 *
 * <pre>
 *   student  γ CE(s(x), y) + α T² KL(t(x)/T ‖ s(x)/T)
 * </pre>
 *
 * <p>Source: RepDistiller's and CA-MKD's distiller_zoo/KD.py (KL batchmean) and RepDistiller's
 * weights γ = 0.1, α = 0.9 at T = 4. The paper (section 2, as quoted elsewhere) has the
 * cross-entropy of the soft targets, times T² too, and that of the labels at a lower weight: it is
 * more by the teacher's entropy only, which no gradient sees, so there is no {@code reference}.
 */
final class Kd implements Method {
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final double temperature;
  private final double alpha;
  private final double gamma;
  private final Reduction reduction;

  Kd(Options options, Setting setting) {
    student = setting.student();
    teacher = Methods.onlyTeacher("kd", setting).network();
    classes = setting.classes();
    temperature = options.number("temperature", 4, 1e-2, 1e3);
    alpha = options.number("alpha", 0.9, 0, 1e6);
    gamma = options.number("gamma", 0.1, 0, 1e6);
    reduction = Reduction.from(options, Reduction.BATCHMEAN);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.empty();
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor own = student.logits(inputs.images());
    Tensor target = Constant.of(() -> teacher.logits(inputs.images()));
    Tensor apart = Divergence.softened(target, own, temperature);
    return new Loss()
        .plus("ce", gamma, Losses.crossEntropy(own, inputs.labels()))
        .plus("kd", alpha, reduction.of(apart, classes));
  }
}
