package bridge.method;

import bridge.Options;
import bridge.architecture.Init;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.method.parts.Classifier;
import bridge.method.parts.Head;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Tap;
import bridge.method.parts.Teacher;
import bridge.method.parts.TeacherOutputs;
import bridge.method.parts.TeacherWeights;
import bridge.method.parts.TrainedModules;
import bridge.method.parts.Turn;
import bridge.model.Features;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.ArrayList;
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

  /**
   * @param layer the student's
   */
  record Settings(
      Ensemble ensemble,
      double temperature,
      double alpha,
      double gamma,
      double beta,
      int begin,
      String layer,
      Reference reference)
      implements MethodSettings {
    static Settings from(Options options) {
      Ensemble ensemble = options.choice("ensemble", Ensemble.CAMKD);
      return new Settings(
          ensemble,
          options.number("temperature", 4, 1e-2, 1e3),
          options.number("alpha", 1, 0, 1e6),
          options.number("gamma", 1, 0, 1e6),
          options.number("beta", ensemble == Ensemble.CAMKD ? 50 : 0, 0, 1e6),
          options.integer("begin", 1, 0, 1_000_000),
          Tap.layer(options),
          Reference.from(options));
    }

    @Override
    public Method over(MethodContext context) {
      return new CaMkd(this, context);
    }

    @Override
    public Optional<String> gradientsThroughTeachers() {
      return beta > 0
          ? Optional.of("method.beta above 0 trains through the teachers' classifiers")
          : Optional.empty();
    }
  }

  private final Settings settings;
  private final Network student;

  /** The student's map; empty where no features are aligned. */
  private final Optional<Tap> tap;

  private final List<Teacher> teachers;
  private final TrainedModules modules = new TrainedModules();
  private final List<Head> heads = new ArrayList<>();
  private final List<Classifier> classifiers = new ArrayList<>();

  private CaMkd(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    teachers = context.teachers();
    tap =
        settings.beta > 0 ? Optional.of(Tap.ofStudent(settings.layer, context)) : Optional.empty();
    tap.ifPresent(t -> createHeads(t, context));
  }

  private void createHeads(Tap tap, MethodContext context) {
    Init init = Init.of(context.seeds(), "heads", tap.type(), context.device());
    int from = tap.width(context);
    for (Teacher teacher : teachers) {
      int to = Tap.of(teacher).width(context);
      Head head = new Head(Head.Kind.CONV_BN, from, to, init);
      heads.add(modules.add("heads." + heads.size(), head));
      classifiers.add(Classifier.of(teacher, context));
    }
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.withoutAttack(() -> descend(inputs));
  }

  private Loss descend(Inputs inputs) {
    Tensor x = inputs.images();
    Tensor y = inputs.labels();
    Optional<Tap> aligned = tap.filter(_ -> inputs.epoch() > settings.begin);
    Network.Outputs outputs = student.forward(x, aligned.map(Tap::path).stream().toList());
    TeacherOutputs targets = TeacherOutputs.of(teachers, x, aligned.isPresent());
    Tensor kd = logitTerm(settings, targets.logits(), outputs.logits(), y);
    Loss loss =
        new Loss()
            .plus("ce", settings.gamma, Losses.crossEntropy(outputs.logits(), y))
            .plus("kd", settings.alpha, kd);
    aligned.ifPresent(
        t -> {
          List<Tensor> maps = targets.features().stream().map(Features::map).toList();
          Tensor feat = featureTerm(Features.map(t.feature(outputs)), maps, y);
          loss.plus("feat", settings.beta, feat);
        });
    return loss;
  }

  /** The second sum, from logits [N, K]; those of the teachers are constants. */
  static Tensor logitTerm(Settings settings, List<Tensor> teachers, Tensor student, Tensor labels) {
    int k = teachers.size();
    Ensemble ensemble = settings.ensemble;
    Tensor divergences =
        Tensor.stack(
            teachers.stream()
                .map(t -> Divergence.softened(t, student, settings.temperature))
                .toList(),
            1);
    if (ensemble == Ensemble.AVERAGE || k == 1) {
      return divergences.mean();
    }
    Tensor weights = weights(ensemble, teachers, labels);
    boolean divided = ensemble == Ensemble.EBKD || settings.reference == Reference.CODE;
    return divergences.mul(weights).sum(1).mean().div(divided ? k : 1);
  }

  /** w [N, K]: EBKD's sum to K − 1, those of CAMKD to 1. */
  static Tensor weights(Ensemble ensemble, List<Tensor> logits, Tensor labels) {
    boolean camkd = ensemble == Ensemble.CAMKD;
    TeacherWeights.Rule rule = camkd ? TeacherWeights.Rule.CAMKD : TeacherWeights.Rule.ENTROPY;
    Tensor weights =
        new TeacherWeights(rule, TeacherWeights.From.RAW, 1).of(logits, logits, labels);
    return camkd ? weights : weights.mul(logits.size() - 1);
  }

  private Tensor featureTerm(Tensor map, List<Tensor> targets, Tensor labels) {
    List<Tensor> projected = new ArrayList<>();
    List<Tensor> projectedLogits = new ArrayList<>();
    Tensor source = map;
    for (int k = 0; k < targets.size(); k++) {
      Tensor resized = resized(source, targets.get(k));
      projected.add(heads.get(k).apply(resized).relu());
      projectedLogits.add(classifiers.get(k).apply(projected.get(k)));
      source = settings.reference == Reference.CODE ? resized : map;
    }
    return featureTerm(settings.reference, projected, targets, projectedLogits, labels);
  }

  /**
   * The third sum.
   *
   * @param projected e_k(g), maps of the targets' shapes
   * @param projectedLogits c_k(e_k(g)), logits [N, K]
   */
  static Tensor featureTerm(
      Reference reference,
      List<Tensor> projected,
      List<Tensor> targets,
      List<Tensor> projectedLogits,
      Tensor labels) {
    int k = targets.size();
    List<Tensor> squares = new ArrayList<>();
    for (int i = 0; i < k; i++) {
      Tensor difference = projected.get(i).sub(targets.get(i)).flatten(1);
      squares.add(difference.mul(difference).mean(1));
    }
    Tensor weights = weights(Ensemble.CAMKD, projectedLogits, labels);
    Tensor sum = Tensor.stack(squares, 1).mul(weights).sum(1).mean();
    return reference == Reference.CODE ? sum.div(k) : sum;
  }

  /** To the target's height and width: a larger map is averaged, a smaller one interpolated. */
  private static Tensor resized(Tensor map, Tensor target) {
    int height = (int) target.size(2);
    int width = (int) target.size(3);
    return map.size(2) >= height ? map.adaptiveAvgPool2d(height, width) : map.resize(height, width);
  }

  @Override
  public Map<String, Tensor> parameters() {
    return modules.parameters();
  }

  @Override
  public Map<String, Tensor> state() {
    return modules.state();
  }
}
