package bridge.method;

import bridge.Options;
import bridge.architecture.Init;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.FeatureAlignment;
import bridge.method.parts.Head;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Tap;
import bridge.method.parts.TrainedModules;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.Map;
import java.util.Optional;

/**
 * Vanilla feature distillation adversarial training (Cao, Wang, Dong, Zhang, Guo, Qin, Ren: Vanilla
 * Feature Distillation for Improving the Accuracy-Robustness Trade-Off in Adversarial Training,
 * arXiv 2206.02158, 2022).
 *
 * <p><b>After the paper's abstract only.</b> No code was ever released, and no more than the
 * abstract and the introduction could be had: adversarial examples and their clean counterparts are
 * both aligned, in the feature space, with what a model trained for accuracy extracts, beside any
 * adversarial training. The formula is ours:
 *
 * <pre>
 *   L = L_AT + λ [ mean D(φ(g(x')), h(x)) + mean D(φ(g(x)), h(x)) ]
 *   L_AT: PGD_AT  CE(s(x'), y)
 *         TRADES  CE(s(x), y) + β KL(s(x) ‖ s(x')), gradient through both
 * </pre>
 *
 * g is the student's feature and h the frozen teacher's, pooled to vectors; φ is the identity where
 * their widths agree, else a linear layer that trains with the student. Layer, distance, λ and φ
 * are options because the abstract names none of them. The student is run on x' first, then on x.
 */
final class VfdAdv implements Method {

  /** The adversarial training that is added to. */
  enum Base {
    PGD_AT,
    TRADES
  }

  /** What brings the student's feature to the teacher's width. */
  enum Projection {
    /** Nothing where the widths agree, else LINEAR. */
    AUTO,
    LINEAR
  }

  /**
   * @param layer the student's
   * @param projection φ
   */
  record Settings(
      Base base,
      double beta,
      double lambda,
      String layer,
      FeatureAlignment.Distance distance,
      Projection projection)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          options.choice("base", Base.PGD_AT),
          options.number("beta", 6, 0, 1e6),
          options.number("lambda", 1, 0, 1e6),
          Tap.layer(options),
          options.choice("featDistance", FeatureAlignment.Distance.MSE_MEAN),
          options.choice("featHead", Projection.AUTO));
    }

    @Override
    public Method over(MethodContext context) {
      return new VfdAdv(this, context);
    }
  }

  private final Settings settings;
  private final Tap student;
  private final Tap teacher;
  private final TrainedModules modules = new TrainedModules();
  private final Optional<Head> head;
  private final Objective.Form climbed;

  private VfdAdv(Settings settings, MethodContext context) {
    this.settings = settings;
    student = Tap.ofStudent(settings.layer, context);
    teacher = Tap.of(context.teacher());
    head = head(context);
    climbed =
        switch (settings.base) {
          case PGD_AT -> Objectives.crossEntropy(student.network());
          case TRADES -> Objectives.kl(student.network());
        };
  }

  private Optional<Head> head(MethodContext context) {
    int from = student.width(context);
    int to = teacher.width(context);
    if (settings.projection == Projection.AUTO && from == to) {
      return Optional.empty();
    }
    Init init = Init.of(context.seeds(), "heads", student.type(), context.device());
    return Optional.of(modules.add("head", new Head(Head.Kind.LINEAR, from, to, init)));
  }

  @Override
  public Turn begin(Inputs inputs) {
    Network attacked = student.network();
    Tensor constant =
        switch (settings.base) {
          case PGD_AT -> inputs.labels();
          case TRADES -> Constant.of(() -> attacked.logits(inputs.images()).softmax(1));
        };
    return Turn.attack(climbed.with(constant), adversarial -> descend(inputs, adversarial));
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor target = Constant.of(() -> teacher.vector(teacher.forward(inputs.images())));
    Network.Outputs adv = student.forward(adversarial);
    Network.Outputs nat = student.forward(inputs.images());
    Loss loss = new Loss();
    switch (settings.base) {
      case PGD_AT -> loss.plus("ce", 1, Losses.crossEntropy(adv.logits(), inputs.labels()));
      case TRADES ->
          loss.plus("ce", 1, Losses.crossEntropy(nat.logits(), inputs.labels()))
              .plus("kl", settings.beta, Losses.klBetweenLogits(nat.logits(), adv.logits()).mean());
    }
    return loss.plus("featAdv", settings.lambda, distance(adv, target))
        .plus("featNat", settings.lambda, distance(nat, target));
  }

  private Tensor distance(Network.Outputs outputs, Tensor target) {
    Tensor feature = student.vector(outputs);
    Tensor projected = head.map(h -> h.apply(feature)).orElse(feature);
    return settings.distance.between(projected, target).mean();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return modules.parameters();
  }
}
