package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.method.parts.FeatureAlignment;
import bridge.method.parts.FusedTarget;
import bridge.method.parts.LossBalance;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Rectification;
import bridge.method.parts.TeacherWeights;
import java.util.Optional;

/** What {@link SaMdrad}'s reconstruction leaves open, each an option. */
record SaMdradSettings(
    InnerLoss innerLoss,
    TeacherInput teacherInput,
    Branches rectifyBranches,
    double temperature,
    double studentTemperature,
    Rectification rectification,
    TeacherWeights weights,
    FusedTarget target,
    Factors factors,
    Optional<LossBalance.Settings> balance,
    FeatTarget featTarget,
    int featStartEpoch,
    FeatureAlignment.Settings alignment)
    implements MethodSettings {

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

  /** The factors of the terms: λ_adv, λ_nat, λ_ce, β_f, μ_adv, μ_nat. */
  record Factors(double adv, double nat, double ce, double feat, double muAdv, double muNat) {
    static Factors from(Options options) {
      return new Factors(
          options.number("lambdaAdv", "5/6", 0, 1e6),
          options.number("lambdaNat", "1/6", 0, 1e6),
          options.number("lambdaCe", 1, 0, 1e6),
          options.number("betaF", 1, 0, 1e6),
          options.number("muAdv", 0.5, 0, 1e6),
          options.number("muNat", 0.5, 0, 1e6));
    }
  }

  static SaMdradSettings from(Options options) {
    double temperature = options.number("temperature", 1, 1e-2, 1e3);
    Factors factors = Factors.from(options);
    return new SaMdradSettings(
        options.choice("innerLoss", InnerLoss.CE),
        options.choice("teacherInput", TeacherInput.ADV),
        options.choice("rectifyBranches", Branches.BOTH),
        temperature,
        options.flag("teacherOnlyT", false) ? 1 : temperature,
        Rectification.from(options, temperature),
        TeacherWeights.from(options),
        FusedTarget.from(options, temperature),
        factors,
        balance(options, factors),
        options.choice("featTarget", FeatTarget.CLEAN),
        options.integer("featStartEpoch", 2, 1, 1_000_000),
        FeatureAlignment.Settings.from(options));
  }

  private static Optional<LossBalance.Settings> balance(Options options, Factors factors) {
    if (options.choice("balance", Balance.NONE) == Balance.NONE) {
      return Optional.empty();
    }
    if (factors.adv + factors.nat == 0) {
      throw new UsageException(
          "%s MTARD shares out %s + %s, found 0; raise one of them or set it to NONE"
              .formatted(
                  options.path("balance"), options.path("lambdaAdv"), options.path("lambdaNat")));
    }
    return Optional.of(LossBalance.Settings.from(options));
  }

  @Override
  public Method over(MethodContext context) {
    return new SaMdrad(this, context);
  }

  @Override
  public Optional<String> gradientsThroughTeachers() {
    return innerLoss == InnerLoss.KL_TEACHERS
        ? Optional.of("method.innerLoss KL_TEACHERS climbs the teachers' gradients")
        : Optional.empty();
  }
}
