package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

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
  private final Tap student;
  private final Tap teacher;
  private final Device device;
  private final double gamma;
  private final double alpha;
  private final double beta;
  private final double temperature;
  private final int count;
  private final Head ofStudent;
  private final Head ofTeacher;
  private final Negatives negatives;
  private final MemoryBanks banks;

  Crd(Options options, Setting setting) {
    student = Tap.ofStudent(options, setting);
    teacher = Tap.ofTeacher("crd", setting);
    device = setting.device();
    gamma = options.number("gamma", 1, 0, 1e6);
    alpha = options.number("alpha", 0, 0, 1e6);
    beta = options.number("beta", 0.8, 0, 1e6);
    temperature = options.number("temperature", 4, 1e-2, 1e3);
    int width = options.integer("featDim", 128, 1, 65_536);
    count = options.integer("negatives", 16_384, 1, 10_000_000);
    Reference reference = Reference.from(options);
    double tau = reference == Reference.CODE ? 0.07 : 0.1;
    double nceTemperature = options.number("nceTemperature", tau, 1e-3, 1e3);
    double nceMomentum = options.number("nceMomentum", 0.5, 0, 1);
    Generator generator = Generator.on(device, setting.seeds().derive("heads"));
    DType type = student.type();
    ofStudent = new Head(Head.Kind.LINEAR, student.width(setting), width, generator, device, type);
    ofTeacher = new Head(Head.Kind.LINEAR, teacher.width(setting), width, generator, device, type);
    negatives = new Negatives(setting.trainingLabels(), setting.classes(), setting.seeds());
    banks =
        new MemoryBanks(
            reference,
            setting.trainingLabels().length,
            negatives.images(),
            width,
            nceTemperature,
            nceMomentum,
            Generator.on(device, setting.seeds().derive("banks")),
            device,
            type);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.empty();
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Network.Outputs own = student.ask(inputs.images());
    Network.Outputs said = teacher.askSilently(inputs.images());
    int[] images = inputs.indices();
    long[] rows = negatives.rows(images, count, inputs.step());
    Tensor contrast =
        banks.loss(
            embed(ofStudent, student.vector(own)),
            embed(ofTeacher, teacher.vector(said)),
            Tensor.of(Arrays.stream(images).asLongStream().toArray(), images.length).to(device),
            Tensor.of(rows, images.length, count + 1L).to(device));
    return new Loss()
        .plus("ce", gamma, Losses.crossEntropy(own.logits(), inputs.labels()))
        .plus("kd", alpha, Divergence.softened(said.logits(), own.logits(), temperature).mean())
        .plus("crd", beta, contrast);
  }

  private static Tensor embed(Head head, Tensor feature) {
    Tensor vector = head.apply(feature);
    return vector.div(vector.norm2Keep(1));
  }

  @Override
  public Map<String, Tensor> parameters() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    ofStudent.parameters().forEach((name, t) -> all.put("embed.student." + name, t));
    ofTeacher.parameters().forEach((name, t) -> all.put("embed.teacher." + name, t));
    return all;
  }

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> all = parameters();
    all.putAll(banks.state());
    return all;
  }
}
