package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.model.Features;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Confidence-aware multi-teacher knowledge distillation (Zhang, Chen, Wang, ICASSP 2022) and the
 * two ensembles it is compared with, without an attack. For K teachers with logits t_k and feature
 * maps h_k, g the student's map, e_k a head (1×1 convolution, batch normalisation, ReLU) and c_k
 * teacher k's own classifier, means over the batch:
 *
 * <pre>
 *   student  γ CE(s, y) + α Σ_k w_k T² KL(t_k/T ‖ s/T) / K + β Σ_k v_k MSE(e_k(g), h_k) / K
 *   CAMKD    w_k = (1 − softmax_k CE(t_k, y)) / (K − 1)     v_k the same of CE(c_k(e_k(g)), y)
 *   EBKD     w_k = 1 − H(t_k) / Σ_j H(t_j)                  H the entropy
 *   AVERAGE  w_k = 1
 * </pre>
 *
 * The last term begins after {@code begin} epochs; gradients flow through v_k. With one teacher all
 * three are AVERAGE.
 *
 * <p>Source: github.com/Rorozhl/CA-MKD, helper/loops.py, distiller_zoo/CAMKD.py and models/util.py
 * (Embed, CalWeight), weights of scripts/run.sh. Two things are CODE's: the division of CAMKD's two
 * sums by K, whose weights sum to 1 as it is, which PAPER leaves out; and that g, brought to the
 * size of a teacher's map, goes on from there to the next teacher's, where PAPER begins from g each
 * time. The bias of the 1×1 convolution, which batch normalisation takes out again, is left out,
 * and a last batch that is not full is not skipped. Maps are the outputs of {@code featLayer} and
 * of the teachers' features; a vector counts as a map of one position.
 */
final class CaMkd implements Method {
  /** How the teachers' divergences are weighed. */
  enum Ensemble {
    CAMKD,
    AVERAGE,
    EBKD
  }

  /** What a teacher says of the clean images. */
  private record Said(Tensor logits, Tensor feature) {}

  private final Network student;
  private final List<Setting.Teacher> teachers;
  private final Ensemble ensemble;
  private final double temperature;
  private final double alpha;
  private final double gamma;
  private final double beta;
  private final int begin;
  private final String featLayer;
  private final Reference reference;
  private final List<Head> heads = new ArrayList<>();
  private final List<Classifier> classifiers = new ArrayList<>();

  CaMkd(Options options, Setting setting) {
    student = setting.student();
    teachers = Methods.someTeachers("ca-mkd", setting);
    ensemble = options.choice("ensemble", Ensemble.CAMKD);
    temperature = options.number("temperature", 4, 1e-2, 1e3);
    alpha = options.number("alpha", 1, 0, 1e6);
    gamma = options.number("gamma", 1, 0, 1e6);
    beta = beta(options, ensemble);
    begin = options.integer("begin", 1, 0, 1_000_000);
    String layer = options.text("featLayer", "penultimate");
    featLayer = beta > 0 ? Taps.student(student, layer) : layer;
    reference = Reference.from(options);
    if (beta > 0) {
      makeHeads(setting);
    }
  }

  private static double beta(Options options, Ensemble ensemble) {
    return options.number("beta", ensemble == Ensemble.CAMKD ? 50 : 0, 0, 1e6);
  }

  static Optional<String> throughTeachers(Options options) {
    Ensemble ensemble = options.choice("ensemble", Ensemble.CAMKD);
    return beta(options, ensemble) > 0
        ? Optional.of(options.path("beta") + " above 0 trains through the teachers' classifiers")
        : Optional.empty();
  }

  private void makeHeads(Setting setting) {
    Generator generator = Generator.on(setting.device(), setting.seeds().derive("heads"));
    DType type = Taps.type(student);
    long from = Taps.width(setting, student, featLayer);
    for (Setting.Teacher teacher : teachers) {
      long to = Taps.width(setting, teacher.network(), teacher.feature());
      heads.add(new Head(Head.Kind.CONV_BN, from, to, generator, setting.device(), type));
      classifiers.add(Classifier.of(teacher, setting));
    }
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.empty();
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor x = inputs.images();
    Tensor y = inputs.labels();
    boolean aligns = beta > 0 && inputs.epoch() > begin;
    Network.Outputs own = student.forward(x, aligns ? List.of(featLayer) : List.of());
    List<Said> said;
    try (NoGrad _ = NoGrad.enter()) {
      said = teachers.stream().map(t -> ask(t, x, aligns)).toList();
    }
    List<Tensor> logits = said.stream().map(Said::logits).toList();
    Tensor kd = logitTerm(ensemble, reference, logits, own.logits(), y, temperature);
    Loss loss =
        new Loss().plus("ce", gamma, Losses.crossEntropy(own.logits(), y)).plus("kd", alpha, kd);
    if (aligns) {
      List<Tensor> targets = said.stream().map(Said::feature).toList();
      loss.plus("feat", beta, featureTerm(map(own.features().get(featLayer)), targets, y));
    }
    return loss;
  }

  /** The second sum, from logits [N, K]; those of the teachers are constants. */
  static Tensor logitTerm(
      Ensemble ensemble,
      Reference reference,
      List<Tensor> teachers,
      Tensor student,
      Tensor labels,
      double temperature) {
    int k = teachers.size();
    Tensor apart =
        Tensor.stack(
            teachers.stream().map(t -> Divergence.softened(t, student, temperature)).toList(), 1);
    if (ensemble == Ensemble.AVERAGE || k == 1) {
      return apart.mean();
    }
    Tensor weights = weights(ensemble, teachers, labels);
    boolean divided = ensemble == Ensemble.EBKD || reference == Reference.CODE;
    return apart.mul(weights).sum(1).mean().div(divided ? k : 1);
  }

  /** w [N, K]: EBKD's sum to K − 1, those of CAMKD to 1. */
  static Tensor weights(Ensemble ensemble, List<Tensor> logits, Tensor labels) {
    boolean camkd = ensemble == Ensemble.CAMKD;
    Fusion.Weights kind = camkd ? Fusion.Weights.CAMKD : Fusion.Weights.ENTROPY;
    Tensor weights =
        new Fusion(kind, Fusion.From.RAW, Fusion.Space.LOSS, 1, 1, false)
            .weights(logits, logits, labels);
    return camkd ? weights : weights.mul(logits.size() - 1);
  }

  private Tensor featureTerm(Tensor map, List<Tensor> targets, Tensor labels) {
    List<Tensor> projected = new ArrayList<>();
    List<Tensor> answers = new ArrayList<>();
    Tensor source = map;
    for (int k = 0; k < targets.size(); k++) {
      Tensor sized = sized(source, targets.get(k));
      projected.add(heads.get(k).apply(sized).relu());
      answers.add(classifiers.get(k).apply(projected.get(k)));
      source = reference == Reference.CODE ? sized : map;
    }
    return featureTerm(reference, projected, targets, answers, labels);
  }

  /**
   * The third sum.
   *
   * @param projected e_k(g), maps of the targets' shapes
   * @param answers c_k(e_k(g)), logits [N, K]
   */
  static Tensor featureTerm(
      Reference reference,
      List<Tensor> projected,
      List<Tensor> targets,
      List<Tensor> answers,
      Tensor labels) {
    int k = targets.size();
    List<Tensor> apart = new ArrayList<>();
    for (int i = 0; i < k; i++) {
      Tensor difference = projected.get(i).sub(targets.get(i)).flatten(1);
      apart.add(difference.mul(difference).mean(1));
    }
    Tensor weights = weights(Ensemble.CAMKD, answers, labels);
    Tensor sum = Tensor.stack(apart, 1).mul(weights).sum(1).mean();
    return reference == Reference.CODE ? sum.div(k) : sum;
  }

  /** A larger map is averaged, a smaller one interpolated. */
  private static Tensor sized(Tensor map, Tensor target) {
    int height = (int) target.size(2);
    int width = (int) target.size(3);
    return map.size(2) >= height ? map.adaptiveAvgPool2d(height, width) : map.resize(height, width);
  }

  private static Said ask(Setting.Teacher teacher, Tensor images, boolean feature) {
    if (!feature) {
      return new Said(teacher.network().logits(images), null);
    }
    Network.Outputs out = teacher.network().forward(images, List.of(teacher.feature()));
    return new Said(out.logits(), map(out.features().get(teacher.feature())));
  }

  /** A feature as a map [N, d, H, W]. */
  static Tensor map(Tensor feature) {
    return feature.dim() == 4 ? feature : Features.vector(feature).unsqueeze(2).unsqueeze(3);
  }

  @Override
  public Map<String, Tensor> parameters() {
    return gather(false);
  }

  @Override
  public Map<String, Tensor> state() {
    return gather(true);
  }

  private Map<String, Tensor> gather(boolean buffers) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    for (int k = 0; k < heads.size(); k++) {
      String prefix = "heads." + k + ".";
      heads.get(k).parameters().forEach((name, t) -> all.put(prefix + name, t));
      if (buffers) {
        heads.get(k).buffers().forEach((name, t) -> all.put(prefix + name, t));
      }
    }
    return all;
  }
}
