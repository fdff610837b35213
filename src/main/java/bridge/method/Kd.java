package bridge.method;

import bridge.Options;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.loss.Reduction;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.function.BinaryOperator;

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
  record Settings(double temperature, double alpha, double gamma, Reduction reduction)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          options.number("temperature", 4, 1e-2, 1e3),
          options.number("alpha", 0.9, 0, 1e6),
          options.number("gamma", 0.1, 0, 1e6),
          Reduction.from(options, Reduction.BATCHMEAN));
    }

    @Override
    public Method over(MethodContext context) {
      return new Kd(this, context, (logits, _) -> logits);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network teacher;
  private final long classes;
  private final BinaryOperator<Tensor> correction;

  /**
   * @param correction of the teacher's logits [N, K] by the labels [N]
   */
  Kd(Settings settings, MethodContext context, BinaryOperator<Tensor> correction) {
    this.settings = settings;
    this.correction = correction;
    student = context.student();
    teacher = context.teacher().network();
    classes = context.classes();
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.withoutAttack(() -> descend(inputs.images(), inputs.labels()));
  }

  private Loss descend(Tensor x, Tensor y) {
    Tensor logits = student.logits(x);
    return new Loss()
        .plus("ce", settings.gamma, () -> Losses.crossEntropy(logits, y))
        .plus("kd", settings.alpha, () -> divergence(x, y, logits));
  }

  private Tensor divergence(Tensor x, Tensor y, Tensor logits) {
    Tensor target = Constant.of(() -> correction.apply(teacher.logits(x), y));
    Tensor kd = Divergence.softened(target, logits, settings.temperature);
    return settings.reduction.of(kd, classes);
  }
}
