package bridge.method;

import bridge.Options;
import bridge.architecture.Init;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.method.parts.Head;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MemoryBanks;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Negatives;
import bridge.method.parts.Reference;
import bridge.method.parts.Tap;
import bridge.method.parts.TrainedModules;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.Map;

/**
 * Contrastive representation distillation (Tian, Krishnan, Isola: ICLR 2020), on clean images,
 * without an attack:
 *
 * <pre>
 *   L = γ CE(s, y) + α T² KL(t/T ‖ s/T) + β CRD(e_s(g(x)), e_t(h(x)))
 * </pre>
 *
 * <p>g and h are the features of student and teacher before their last layers, e_s and e_t linear
 * layers that train with the student and bring both to length 1 in {@code featDim} dimensions, CRD
 * the loss of {@link MemoryBanks} with {@code negatives} images of other classes ({@link
 * Negatives}). As in the released code (HobbitLong/RepDistiller, train_student.py, {@code crd},
 * mode "exact"): γ = 1, α = 0 (1 for CRD+KD), β = 0.8, τ = 0.07. Only images that are trained on
 * are drawn, and only they count as n.
 *
 * <p>PAPER (arXiv 1910.10699, equations 10 and 19, as later papers quote them: its own text was not
 * at hand) has the score h = e^{v·m/τ} / (e^{v·m/τ} + N/M) of N negatives and M images, with
 * neither the code's constant Z nor its eps, and τ = 0.1, which readers' notes report of CIFAR-100.
 * What these equations leave open is the code's: both directions, the banks and their momentum,
 * negatives of other classes, the weights.
 */
final class Crd implements Method {

  /**
   * @param layer the student's
   * @param width d of the embeddings
   * @param negatives K
   */
  record Settings(
      String layer,
      double gamma,
      double alpha,
      double beta,
      double temperature,
      int width,
      int negatives,
      MemoryBanks.Settings banks)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          Tap.layer(options),
          options.number("gamma", 1, 0, 1e6),
          options.number("alpha", 0, 0, 1e6),
          options.number("beta", 0.8, 0, 1e6),
          options.number("temperature", 4, 1e-2, 1e3),
          options.integer("featDim", 128, 1, 65_536),
          options.integer("negatives", 16_384, 1, 10_000_000),
          MemoryBanks.Settings.from(options, Reference.from(options)));
    }

    @Override
    public Method over(MethodContext context) {
      return new Crd(this, context);
    }
  }

  private final Settings settings;
  private final Tap student;
  private final Tap teacher;
  private final Device device;
  private final TrainedModules modules = new TrainedModules();
  private final Head studentHead;
  private final Head teacherHead;
  private final Negatives negatives;
  private final MemoryBanks banks;

  private Crd(Settings settings, MethodContext context) {
    this.settings = settings;
    student = Tap.ofStudent(settings.layer, context);
    teacher = Tap.of(context.teacher());
    device = context.device();
    int width = settings.width;
    Init init = Init.of(context.seeds(), "heads", student.type(), device);
    Head.Kind linear = Head.Kind.LINEAR;
    int studentWidth = student.width(context);
    int teacherWidth = teacher.width(context);
    studentHead = modules.add("embed.student", new Head(linear, studentWidth, width, init));
    teacherHead = modules.add("embed.teacher", new Head(linear, teacherWidth, width, init));
    negatives = new Negatives(context.trainingLabels(), context.classes(), context.seeds());
    banks = new MemoryBanks(settings.banks, negatives.images(), width, student.type(), context);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.withoutAttack(() -> descend(inputs));
  }

  private Loss descend(Inputs inputs) {
    Network.Outputs outputs = student.forward(inputs.images());
    Network.Outputs target = teacher.constant(inputs.images());
    int[] images = inputs.indices();
    int count = settings.negatives;
    long[] rows = negatives.rows(images, count, inputs.step());
    Tensor contrast =
        banks.loss(
            embed(studentHead, student.vector(outputs)),
            embed(teacherHead, teacher.vector(target)),
            Tensor.of(Arrays.stream(images).asLongStream().toArray(), images.length).to(device),
            Tensor.of(rows, images.length, count + 1L).to(device));
    double t = settings.temperature;
    return new Loss()
        .plus("ce", settings.gamma, Losses.crossEntropy(outputs.logits(), inputs.labels()))
        .plus(
            "kd", settings.alpha, Divergence.softened(target.logits(), outputs.logits(), t).mean())
        .plus("crd", settings.beta, contrast);
  }

  private static Tensor embed(Head head, Tensor feature) {
    Tensor vector = head.apply(feature);
    return vector.div(vector.norm2Keep(1));
  }

  @Override
  public Map<String, Tensor> parameters() {
    return modules.parameters();
  }

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> all = modules.state();
    all.putAll(banks.state());
    return all;
  }
}
