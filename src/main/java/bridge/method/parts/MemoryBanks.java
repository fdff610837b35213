package bridge.method.parts;

import bridge.Options;
import bridge.torch.Constant;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the student and the teacher said last of every training image, as vectors of length 1, and
 * CRD's contrastive loss against them (HobbitLong/RepDistiller, crd/memory.py and criterion.py).
 *
 * <p>With n images trained on, K negatives, v a network's embedding of an image and m the other
 * network's memory of the image itself (+) or of a negative (−):
 *
 * <pre>
 *   P = exp(v·m / τ) / Z      Z = n · mean exp(v·m / τ) of the first batch, then fixed
 *   −(1/B) Σ_b [ log P⁺ / (P⁺ + K/n + eps) + Σ_neg log (K/n) / (P⁻ + K/n + eps) ]
 * </pre>
 *
 * summed over the two directions, eps = 1e-7. PAPER has Z = 1 and eps = 0. Afterwards m ← (μ m + (1
 * − μ) v) / ‖·‖ for the batch's images. All scores of a batch are one product with the whole bank,
 * out of which the drawn ones are picked: n · d numbers are read instead of B · K · d.
 */
public final class MemoryBanks {

  /**
   * @param temperature τ
   * @param momentum of the remembered embeddings
   */
  public record Settings(Reference reference, double temperature, double momentum) {
    public static Settings from(Options options, Reference reference) {
      double tau = reference == Reference.CODE ? 0.07 : 0.1;
      return new Settings(
          reference,
          options.number("nceTemperature", tau, 1e-3, 1e3),
          options.number("nceMomentum", 0.5, 0, 1));
    }
  }

  private final Settings settings;
  private final double eps;
  private final int images;

  /** [rows, d]. */
  private final Tensor student;

  private final Tensor teacher;

  /**
   * Z of the student's and of the teacher's scores; 0 before the first batch, with PAPER always.
   */
  private final Tensor constants;

  /**
   * @param images how many images are trained on: n
   * @param width d
   */
  public MemoryBanks(Settings settings, int images, long width, DType type, MethodContext context) {
    this.settings = settings;
    this.images = images;
    eps = settings.reference == Reference.CODE ? 1e-7 : 0;
    long rows = context.trainingLabels().length;
    double bound = 1 / Math.sqrt(width / 3.0);
    Device device = context.device();
    Generator generator = Generator.on(device, context.seeds().derive("banks"));
    student = Tensor.empty(type, device, rows, width).uniform_(-bound, bound, generator);
    teacher = Tensor.empty(type, device, rows, width).uniform_(-bound, bound, generator);
    constants = Tensor.zeros(type, device, 2);
  }

  /**
   * The loss of a batch, which the banks then remember.
   *
   * @param studentEmbeddings embeddings [B, d] of length 1
   * @param teacherEmbeddings likewise
   * @param indices the images' numbers, int64 [B]
   * @param sampled the images' numbers and those of their negatives, int64 [B, K + 1]
   */
  public Tensor loss(
      Tensor studentEmbeddings, Tensor teacherEmbeddings, Tensor indices, Tensor sampled) {
    Tensor s = direction(scores(studentEmbeddings, teacher, sampled), 0);
    Tensor t = direction(scores(teacherEmbeddings, student, sampled), 1);
    update(student, indices, studentEmbeddings);
    update(teacher, indices, teacherEmbeddings);
    return s.add(t);
  }

  /** The bank is copied, since it changes before the gradient is computed. */
  private Tensor scores(Tensor v, Tensor bank, Tensor sampled) {
    Tensor all = v.matmul(bank.copy().transpose(0, 1));
    return all.gather(1, sampled).div(settings.temperature).exp();
  }

  private Tensor direction(Tensor scores, int index) {
    Tensor p = settings.reference == Reference.CODE ? scores.div(constant(scores, index)) : scores;
    long k = p.size(1) - 1;
    double noise = (double) k / images;
    Tensor positive = p.select(1, 0);
    Tensor negatives = p.narrow(1, 1, k);
    Tensor positiveTerm = positive.div(positive.add(noise + eps)).log().sum();
    Tensor negativeTerm = negatives.add(noise + eps).pow(-1).mul(noise).log().sum();
    return positiveTerm.add(negativeTerm).div(-p.size(0));
  }

  private Tensor constant(Tensor scores, int index) {
    return Constant.of(
        () -> {
          Tensor z = constants.select(0, index);
          return z.copy_(z.gt(0).where(z, scores.mean().mul(images))).copy();
        });
  }

  private void update(Tensor bank, Tensor indices, Tensor v) {
    try (Scope _ = Scope.open("remember");
        NoGrad _ = NoGrad.enter()) {
      Tensor row =
          bank.indexSelect(0, indices)
              .mul(settings.momentum)
              .add(v.detach(), 1 - settings.momentum);
      bank.indexCopy_(0, indices, row.div(row.norm2Keep(1)));
    }
  }

  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    state.put("banks.student", student);
    state.put("banks.teacher", teacher);
    state.put("banks.constants", constants);
    return state;
  }
}
