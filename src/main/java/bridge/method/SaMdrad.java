package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Sample-adaptive multi-teacher dynamic rectification adversarial distillation (Li, Yang, Cheng,
 * Liu, Huang: Multimedia Systems 30, 225, 2024).
 *
 * <p><b>A reconstruction.</b> Only the paper's abstract could be had: logits and features of
 * several heterogeneous standard teachers, rectified per sample where a teacher is wrong and fused
 * per sample by the teachers' predictions, inside adversarial training. The formulas are those of
 * the works it cites and our own; every choice is an option. Per batch:
 *
 * <pre>
 *   z_k, h_k   logits and features of teacher k, at x' (adversarial branch) and x (natural branch)
 *   r_k        = Rectification(z_k, y)
 *   a, q       = Fusion(z, r, y)                          weights and target, per branch
 *   L = λ_adv T² KL(q_adv ‖ p_s(x')) + λ_nat T² KL(q_nat ‖ p_s(x)) + λ_ce CE(s(x'), y)
 *       + β_f [μ_adv F(x') + μ_nat F(x)]                  KL batchmean, F: FeatureAlignment
 * </pre>
 *
 * The student is run on x' first, then on x. Teachers are frozen and in evaluation mode.
 */
final class SaMdrad implements Method {

  /** What the attack climbs. */
  enum InnerLoss {
    /** CE(s(x'), y), as in MTARD. */
    CE,
    /** KL(p_s(x) ‖ p_s(x')), p_s(x) constant, as in TRADES. */
    KL_SELF,
    /** KL(q(x) ‖ p_s(x')), q the fused rectified target of the clean image, as in RSLAD. */
    KL_FUSED,
    /** Σ_k a_k KL(p_k(x') ‖ p_s(x')), gradient through the teachers, a constant, as in AdaAD. */
    KL_TEACHERS
  }

  /** What the teachers are shown for the adversarial branch. */
  enum TeacherInput {
    ADV,
    CLEAN,
    /** The mean of the logits at both. */
    BOTH_AVG
  }

  /** In which branches wrong teachers are rectified. */
  enum Branches {
    ADV,
    CLEAN,
    BOTH
  }

  /** At which image a teacher's feature is taken for the adversarial branch. */
  enum FeatTarget {
    CLEAN,
    ADV,
    /** At x' where the teacher is right there, else at x. */
    ADV_IF_CORRECT
  }

  /** How the two divergences share λ_adv + λ_nat. */
  enum Balance {
    /** λ_adv and λ_nat as they are. */
    NONE,
    /** By {@link LossBalance}, which begins with the shares that λ_adv and λ_nat have. */
    MTARD
  }

  private record Weights(
      double adv, double nat, double ce, double feat, double muAdv, double muNat) {
    static Weights from(Options options) {
      return new Weights(
          options.number("lambdaAdv", "5/6", 0, 1e6),
          options.number("lambdaNat", "1/6", 0, 1e6),
          options.number("lambdaCe", 1, 0, 1e6),
          options.number("betaF", 1, 0, 1e6),
          options.number("muAdv", 0.5, 0, 1e6),
          options.number("muNat", 0.5, 0, 1e6));
    }
  }

  /** One branch's teachers: raw and rectified logits, weights [N, K]. */
  private record Branch(List<Tensor> raw, List<Tensor> rectified, Tensor weights) {}

  /** What the teachers say of some images. */
  private record Said(List<Tensor> logits, List<Tensor> features) {}

  private final Network student;
  private final List<Setting.Teacher> teachers;
  private final InnerLoss innerLoss;
  private final TeacherInput teacherInput;
  private final Branches branches;
  private final Rectification rectification;
  private final Fusion fusion;
  private final Weights lambda;
  private final Optional<LossBalance> balance;
  private final double temperature;
  private final double studentTemperature;
  private final FeatTarget featTarget;
  private final int featStartEpoch;
  private final String featLayer;
  private final Head.Kind headKind;
  private final FeatureAlignment alignment;
  private final TeacherCounts counts;

  /** What the teachers said of this batch's clean images, if {@link #inner} asked them. */
  private Said said;

  SaMdrad(Options options, Setting setting) {
    student = setting.student();
    teachers = setting.teachers();
    if (teachers.isEmpty()) {
      throw new UsageException(
          "method sa-mdrad needs at least one teacher; add teachers to the recipe");
    }
    innerLoss = options.choice("innerLoss", InnerLoss.CE);
    teacherInput = options.choice("teacherInput", TeacherInput.ADV);
    branches = options.choice("rectifyBranches", Branches.BOTH);
    temperature = options.number("temperature", 1, 1e-2, 1e3);
    studentTemperature = options.flag("teacherOnlyT", false) ? 1 : temperature;
    rectification = Rectification.from(options, temperature);
    fusion = Fusion.from(options, temperature);
    lambda = Weights.from(options);
    balance = balance(options, setting.device());
    featTarget = options.choice("featTarget", FeatTarget.CLEAN);
    featStartEpoch = options.integer("featStartEpoch", 2, 1, 1_000_000);
    String layer = options.text("featLayer", "penultimate");
    featLayer = layer.equals("penultimate") ? student.penultimate() : layer;
    headKind = options.choice("featHead", Head.Kind.LINEAR);
    FeatureAlignment.Distance distance = FeatureAlignment.distance(options);
    alignment =
        new FeatureAlignment(lambda.feat > 0 ? heads(setting) : List.of(), headKind, distance);
    List<String> names = teachers.stream().map(Setting.Teacher::name).toList();
    boolean rectifies = branches != Branches.CLEAN && rectification.acts();
    counts = new TeacherCounts(names, rectifies, setting.device());
  }

  static Optional<String> throughTeachers(Options options) {
    return options.choice("innerLoss", InnerLoss.CE) == InnerLoss.KL_TEACHERS
        ? Optional.of(options.path("innerLoss") + " KL_TEACHERS climbs the teachers' gradients")
        : Optional.empty();
  }

  private Optional<LossBalance> balance(Options options, Device device) {
    if (options.choice("balance", Balance.NONE) == Balance.NONE) {
      return Optional.empty();
    }
    double sum = lambda.adv + lambda.nat;
    if (sum == 0) {
      throw new UsageException(
          "%s MTARD shares out %s + %s, found 0; raise one of them or set it to NONE"
              .formatted(
                  options.path("balance"), options.path("lambdaAdv"), options.path("lambdaNat")));
    }
    return Optional.of(LossBalance.from(options, device, lambda.adv / sum, lambda.nat / sum));
  }

  /** One head per teacher; the widths are found by showing everyone an image of zeros. */
  private List<Head> heads(Setting setting) {
    List<Head> heads = new ArrayList<>();
    Generator generator = Generator.on(setting.device(), setting.seeds().derive("heads"));
    long[] c = setting.imageShape();
    long from;
    long[] to = new long[teachers.size()];
    DType type;
    try (Scope _ = Scope.open("widths");
        NoGrad _ = NoGrad.enter();
        var _ = bridge.model.Mode.eval(student)) {
      type = student.parameters().values().iterator().next().dtype();
      Tensor zeros = Tensor.zeros(type, setting.device(), 1, c[0], c[1], c[2]);
      from =
          form(student.forward(zeros, List.of(featLayer)).features().get(featLayer), "the student")
              .size(1);
      for (int k = 0; k < to.length; k++) {
        to[k] = ask(zeros, true).features().get(k).size(1);
      }
    }
    for (long width : to) {
      heads.add(new Head(headKind, from, width, generator, setting.device(), type));
    }
    return heads;
  }

  private Tensor form(Tensor feature, String owner) {
    return FeatureAlignment.form(headKind, feature, owner);
  }

  // ---- what the attack climbs --------------------------------------------------------------

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    Tensor y = inputs.labels();
    return Optional.of(
        switch (innerLoss) {
          case CE -> x -> Losses.crossEntropy(student.logits(x), y);
          case KL_SELF -> {
            Tensor own = Constant.of(() -> student.logits(inputs.images()).softmax(1));
            yield x -> Losses.kl(own, student.logits(x));
          }
          case KL_FUSED -> {
            said = ask(inputs.images(), aligns(inputs)); // the outer loss needs it too
            Tensor fused = Constant.of(() -> fused(said.logits, inputs.labels()));
            yield x -> Losses.kl(fused, student.logits(x).div(studentTemperature));
          }
          case KL_TEACHERS -> x -> toTeachers(x, y);
        });
  }

  private Tensor fused(List<Tensor> logits, Tensor labels) {
    Branch clean = branch(logits, labels, Branches.CLEAN);
    return fusion.target(clean.weights, clean.rectified);
  }

  private Tensor toTeachers(Tensor x, Tensor labels) {
    List<Tensor> logits = teachers.stream().map(t -> t.network().logits(x)).toList();
    List<Tensor> seen = logits.stream().map(Tensor::detach).toList();
    Tensor a = branch(seen, labels, Branches.ADV).weights;
    Tensor own = student.logits(x);
    Tensor sum = null;
    for (int k = 0; k < logits.size(); k++) {
      Tensor kl = Losses.klBetweenLogits(logits.get(k), own).mul(a.select(1, k));
      sum = sum == null ? kl : sum.add(kl);
    }
    return sum.mean();
  }

  // ---- what the student descends -----------------------------------------------------------

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor x = inputs.images();
    Tensor y = inputs.labels();
    boolean features = aligns(inputs);
    boolean featuresAtAdv = features && featTarget != FeatTarget.CLEAN;

    Said clean = said == null ? ask(x, features) : said;
    said = null;
    Said adv =
        teacherInput != TeacherInput.CLEAN || featuresAtAdv
            ? ask(adversarial, featuresAtAdv)
            : null;
    Branch nat = silently(() -> branch(clean.logits, y, Branches.CLEAN));
    Branch hard = silently(() -> branch(shown(clean, adv), y, Branches.ADV));
    counts.add(hard.raw, hard.weights, y);

    List<String> wanted = features ? List.of(featLayer) : List.of();
    Network.Outputs sAdv = student.forward(adversarial, wanted);
    Network.Outputs sNat = student.forward(x, wanted);

    Loss loss =
        distilled(inputs, divergence(hard, sAdv), divergence(nat, sNat))
            .plus("ce", lambda.ce, Losses.crossEntropy(sAdv.logits(), y));
    if (features) {
      List<Tensor> targets = silently(() -> featureTargets(clean, adv, y));
      loss.plus("featAdv", lambda.feat * lambda.muAdv, align(hard, sAdv, targets))
          .plus("featNat", lambda.feat * lambda.muNat, align(nat, sNat, clean.features));
    }
    return loss;
  }

  private Loss distilled(Inputs inputs, Tensor adv, Tensor nat) {
    double t2 = temperature * temperature;
    if (balance.isEmpty()) {
      return new Loss().plus("adv", lambda.adv * t2, adv).plus("nat", lambda.nat * t2, nat);
    }
    List<Tensor> shares = balance.get().weigh(inputs.rate(), adv, nat);
    double all = (lambda.adv + lambda.nat) * t2;
    return new Loss()
        .plus("adv", all, adv.mul(shares.get(0)))
        .plus("nat", all, nat.mul(shares.get(1)));
  }

  private Tensor divergence(Branch branch, Network.Outputs student) {
    return fusion.divergence(
        branch.weights, branch.rectified, student.logits().div(studentTemperature));
  }

  private Tensor align(Branch branch, Network.Outputs student, List<Tensor> targets) {
    Tensor own = form(student.features().get(featLayer), "the student");
    return alignment.term(branch.weights, own, targets);
  }

  private boolean aligns(Inputs inputs) {
    return lambda.feat > 0 && inputs.epoch() >= featStartEpoch;
  }

  /** The teachers' logits for the adversarial branch. */
  private List<Tensor> shown(Said clean, Said adv) {
    return switch (teacherInput) {
      case CLEAN -> clean.logits;
      case ADV -> adv.logits;
      case BOTH_AVG -> {
        List<Tensor> mean = new ArrayList<>();
        for (int k = 0; k < teachers.size(); k++) {
          mean.add(clean.logits.get(k).add(adv.logits.get(k)).mul(0.5));
        }
        yield mean;
      }
    };
  }

  private List<Tensor> featureTargets(Said clean, Said adv, Tensor labels) {
    return switch (featTarget) {
      case CLEAN -> clean.features;
      case ADV -> adv.features;
      case ADV_IF_CORRECT -> {
        List<Tensor> chosen = new ArrayList<>();
        for (int k = 0; k < teachers.size(); k++) {
          Tensor at = adv.features.get(k);
          long[] shape = new long[at.dim()];
          java.util.Arrays.fill(shape, 1);
          shape[0] = at.size(0);
          Tensor wrong = Rectification.wrong(adv.logits.get(k), labels).view(shape);
          chosen.add(wrong.where(clean.features.get(k), at));
        }
        yield chosen;
      }
    };
  }

  // ---- teachers ----------------------------------------------------------------------------

  /** What the teachers say, without recording gradients. */
  private Said ask(Tensor images, boolean features) {
    return silently(
        () -> {
          List<Tensor> logits = new ArrayList<>();
          List<Tensor> taps = new ArrayList<>();
          for (Setting.Teacher teacher : teachers) {
            List<String> wanted = features ? List.of(teacher.feature()) : List.of();
            Network.Outputs out = teacher.network().forward(images, wanted);
            logits.add(out.logits());
            if (features) {
              taps.add(form(out.features().get(teacher.feature()), teacher.name()));
            }
          }
          return new Said(logits, taps);
        });
  }

  /** Rectifies where this branch is to be, and weighs. */
  private Branch branch(List<Tensor> raw, Tensor labels, Branches which) {
    boolean rectify = branches == Branches.BOTH || branches == which;
    List<Tensor> rectified =
        rectify ? raw.stream().map(z -> rectification.apply(z, labels)).toList() : raw;
    return new Branch(raw, rectified, fusion.weights(raw, rectified, labels));
  }

  private static <T> T silently(java.util.function.Supplier<T> work) {
    try (NoGrad _ = NoGrad.enter()) {
      return work.get();
    }
  }

  // ---- what is saved and told --------------------------------------------------------------

  @Override
  public Map<String, Tensor> parameters() {
    return gather(true, false);
  }

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = gather(true, true);
    state.put("counts", counts.tensor());
    balance.ifPresent(b -> state.putAll(b.state()));
    return state;
  }

  private Map<String, Tensor> gather(boolean parameters, boolean buffers) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    for (int k = 0; k < alignment.heads().size(); k++) {
      String prefix = "heads." + k + ".";
      Head head = alignment.heads().get(k);
      if (parameters) {
        head.parameters().forEach((name, t) -> all.put(prefix + name, t));
      }
      if (buffers) {
        head.buffers().forEach((name, t) -> all.put(prefix + name, t));
      }
    }
    return all;
  }

  @Override
  public Map<String, Double> epochSummary() {
    Map<String, Double> figures = counts.summary();
    balance.ifPresent(b -> figures.putAll(b.summary("shareAdv", "shareNat")));
    return figures;
  }
}
