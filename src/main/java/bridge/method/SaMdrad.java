package bridge.method;

import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.SaMdradSettings.Branches;
import bridge.method.SaMdradSettings.Factors;
import bridge.method.SaMdradSettings.FeatTarget;
import bridge.method.SaMdradSettings.TeacherInput;
import bridge.method.parts.FeatureAlignment;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.LossBalance;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Rectification;
import bridge.method.parts.Teacher;
import bridge.method.parts.TeacherCounts;
import bridge.method.parts.TeacherOutputs;
import bridge.method.parts.TrainedModules;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

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
 *   a          = TeacherWeights(z, r, y)                  per branch
 *   q          = FusedTarget(a, r)
 *   L = λ_adv T² KL(q_adv ‖ p_s(x')) + λ_nat T² KL(q_nat ‖ p_s(x)) + λ_ce CE(s(x'), y)
 *       + β_f [μ_adv F(x') + μ_nat F(x)]                  KL batchmean, F: FeatureAlignment
 * </pre>
 *
 * The student is run on x' first, then on x. Teachers are frozen and in evaluation mode.
 */
final class SaMdrad implements Method {
  /** One branch's teachers: raw and rectified logits, weights [N, K]. */
  private record Branch(List<Tensor> raw, List<Tensor> rectified, Tensor weights) {}

  private final SaMdradSettings settings;
  private final Network student;
  private final List<Teacher> teachers;
  private final Objective.Form climbed;
  private final Optional<LossBalance> balance;
  private final Optional<FeatureAlignment> alignment;
  private final TrainedModules modules = new TrainedModules();
  private final TeacherCounts counts;

  SaMdrad(SaMdradSettings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    teachers = context.teachers();
    climbed = climbed();
    Factors factors = settings.factors();
    double sum = factors.adv() + factors.nat();
    balance =
        settings
            .balance()
            .map(b -> b.over(context.device(), factors.adv() / sum, factors.nat() / sum));
    alignment =
        factors.feat() > 0
            ? Optional.of(new FeatureAlignment(settings.alignment(), context, modules))
            : Optional.empty();
    List<String> names = teachers.stream().map(Teacher::name).toList();
    boolean rectifies =
        settings.rectifyBranches() != Branches.CLEAN && settings.rectification().acts();
    counts = new TeacherCounts(names, rectifies, context.device());
  }

  @Override
  public Turn begin(Inputs inputs) {
    TeacherOutputs clean = TeacherOutputs.of(teachers, inputs.images(), aligns(inputs));
    Objective objective = climbed.with(constant(inputs, clean));
    return Turn.attack(objective, adversarial -> descend(inputs, clean, adversarial));
  }

  private boolean aligns(Inputs inputs) {
    return alignment.isPresent() && inputs.epoch() >= settings.featStartEpoch();
  }

  // ---- what the attack climbs --------------------------------------------------------------

  private Objective.Form climbed() {
    return switch (settings.innerLoss()) {
      case CE -> Objectives.crossEntropy(student);
      case KL_SELF -> Objectives.kl(student);
      case KL_FUSED -> Objectives.kl(student, settings.studentTemperature());
      case KL_TEACHERS -> {
        List<Network> networks = new ArrayList<>(teachers.stream().map(Teacher::network).toList());
        networks.add(student);
        yield new Objective.Form(networks, (logits, y) -> toTeachers(logits, y.get(0)));
      }
    };
  }

  /** What the form above needs of a batch. */
  private Tensor constant(Inputs inputs, TeacherOutputs clean) {
    return switch (settings.innerLoss()) {
      case CE, KL_TEACHERS -> inputs.labels();
      case KL_SELF -> Constant.of(() -> student.logits(inputs.images()).softmax(1));
      case KL_FUSED -> Constant.of(() -> fused(clean.logits(), inputs.labels()));
    };
  }

  private Tensor fused(List<Tensor> logits, Tensor labels) {
    Branch clean = branch(logits, labels, Branches.CLEAN);
    return settings.target().of(clean.weights, clean.rectified);
  }

  /** Σ_k a_k KL(p_k ‖ p_s), of the teachers' logits and, last, the student's. */
  private Tensor toTeachers(List<Tensor> logits, Tensor labels) {
    Tensor studentLogits = logits.get(teachers.size());
    List<Tensor> raw = logits.subList(0, teachers.size()).stream().map(Tensor::detach).toList();
    Tensor a = branch(raw, labels, Branches.ADV).weights;
    Tensor sum = null;
    for (int k = 0; k < teachers.size(); k++) {
      Tensor kl = Losses.klBetweenLogits(logits.get(k), studentLogits).mul(a.select(1, k));
      sum = sum == null ? kl : sum.add(kl);
    }
    return sum.mean();
  }

  // ---- what the student descends -----------------------------------------------------------

  private Loss descend(Inputs inputs, TeacherOutputs clean, Tensor adversarial) {
    Tensor y = inputs.labels();
    boolean features = aligns(inputs);
    Optional<TeacherOutputs> adv = atAdversarial(adversarial, features);
    // the teachers may work meanwhile
    List<String> taps = features ? List.of(alignment.orElseThrow().layer()) : List.of();
    Network.Outputs sAdv = student.forward(adversarial, taps);
    Network.Outputs sNat = student.forward(inputs.images(), taps);
    Branch natBranch = branch(clean.logits(), y, Branches.CLEAN);
    Branch advBranch = branch(teacherLogits(clean, adv), y, Branches.ADV);
    counts.add(advBranch.raw, advBranch.weights, y);

    Factors factors = settings.factors();
    Loss loss =
        distilled(inputs, () -> divergence(advBranch, sAdv), () -> divergence(natBranch, sNat))
            .plus("ce", factors.ce(), () -> Losses.crossEntropy(sAdv.logits(), y));
    if (features) {
      FeatureAlignment align = alignment.orElseThrow();
      Tensor featAdv = align.term(advBranch.weights, sAdv, featureTargets(clean, adv, y));
      Tensor featNat = align.term(natBranch.weights, sNat, clean.features());
      loss.plus("featAdv", factors.feat() * factors.muAdv(), featAdv)
          .plus("featNat", factors.feat() * factors.muNat(), featNat);
    }
    return loss;
  }

  /** The teachers at x', where their logits or features there are needed. */
  private Optional<TeacherOutputs> atAdversarial(Tensor adversarial, boolean aligns) {
    boolean features = aligns && settings.featTarget() != FeatTarget.CLEAN;
    return settings.teacherInput() != TeacherInput.CLEAN || features
        ? Optional.of(TeacherOutputs.of(teachers, adversarial, features))
        : Optional.empty();
  }

  /** The teachers' logits for the adversarial branch. */
  private List<Tensor> teacherLogits(TeacherOutputs clean, Optional<TeacherOutputs> adv) {
    return switch (settings.teacherInput()) {
      case CLEAN -> clean.logits();
      case ADV -> adv.orElseThrow().logits();
      case BOTH_AVG -> {
        List<Tensor> mean = new ArrayList<>();
        for (int k = 0; k < teachers.size(); k++) {
          mean.add(clean.logits().get(k).add(adv.orElseThrow().logits().get(k)).mul(0.5));
        }
        yield mean;
      }
    };
  }

  /** Rectifies where this branch is to be, and weighs. */
  private Branch branch(List<Tensor> raw, Tensor labels, Branches which) {
    Branches rectified = settings.rectifyBranches();
    List<Tensor> logits =
        rectified == Branches.BOTH || rectified == which
            ? raw.stream().map(z -> settings.rectification().apply(z, labels)).toList()
            : raw;
    return new Branch(raw, logits, settings.weights().of(raw, logits, labels));
  }

  private Tensor divergence(Branch branch, Network.Outputs student) {
    Tensor softened = student.logits().div(settings.studentTemperature());
    return settings.target().divergence(branch.weights, branch.rectified, softened);
  }

  private Loss distilled(Inputs inputs, Supplier<Tensor> atAdv, Supplier<Tensor> atNat) {
    double t2 = settings.temperature() * settings.temperature();
    Factors factors = settings.factors();
    if (balance.isEmpty()) {
      return new Loss()
          .plus("adv", factors.adv() * t2, atAdv)
          .plus("nat", factors.nat() * t2, atNat);
    }
    Tensor adv = atAdv.get();
    Tensor nat = atNat.get();
    List<Tensor> shares = balance.get().weigh(inputs.scheduleFactor(), adv, nat);
    double sum = (factors.adv() + factors.nat()) * t2;
    return new Loss()
        .plus("adv", sum, adv.mul(shares.get(0)))
        .plus("nat", sum, nat.mul(shares.get(1)));
  }

  private List<Tensor> featureTargets(
      TeacherOutputs clean, Optional<TeacherOutputs> adv, Tensor labels) {
    return switch (settings.featTarget()) {
      case CLEAN -> clean.features();
      case ADV -> adv.orElseThrow().features();
      case ADV_IF_CORRECT -> {
        List<Tensor> targets = new ArrayList<>();
        for (int k = 0; k < teachers.size(); k++) {
          Tensor feature = adv.orElseThrow().features().get(k);
          long[] shape = new long[feature.dim()];
          Arrays.fill(shape, 1);
          shape[0] = feature.size(0);
          Tensor wrong = Rectification.wrong(adv.orElseThrow().logits().get(k), labels);
          targets.add(wrong.view(shape).where(clean.features().get(k), feature));
        }
        yield targets;
      }
    };
  }

  // ---- what is saved and reported ----------------------------------------------------------

  @Override
  public Map<String, Tensor> parameters() {
    return modules.parameters();
  }

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = modules.state();
    state.put("counts", counts.tensor());
    balance.ifPresent(b -> state.putAll(b.state()));
    return state;
  }

  @Override
  public Map<String, Double> epochSummary() {
    Map<String, Double> figures = counts.summary();
    balance.ifPresent(b -> figures.putAll(b.summary("shareAdv", "shareNat")));
    return figures;
  }
}
