package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
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

  private final Tap student;
  private final Tap teacher;
  private final Base base;
  private final double beta;
  private final double lambda;
  private final FeatureAlignment.Distance distance;
  private final Optional<Head> head;

  VfdAdv(Options options, Setting setting) {
    teacher = Tap.ofTeacher("vfd-adv", setting);
    base = options.choice("base", Base.PGD_AT);
    beta = options.number("beta", 6, 0, 1e6);
    lambda = options.number("lambda", 1, 0, 1e6);
    student = Tap.ofStudent(options, setting);
    distance = FeatureAlignment.distance(options);
    Projection projection = options.choice("featHead", Projection.AUTO);
    long from = student.width(setting);
    long to = teacher.width(setting);
    Device device = setting.device();
    head =
        projection == Projection.AUTO && from == to
            ? Optional.empty()
            : Optional.of(
                new Head(
                    Head.Kind.LINEAR,
                    from,
                    to,
                    Generator.on(device, setting.seeds().derive("heads")),
                    device,
                    student.type()));
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    Network attacked = student.network();
    return Optional.of(
        switch (base) {
          case PGD_AT -> x -> Losses.crossEntropy(attacked.logits(x), inputs.labels());
          case TRADES -> {
            Tensor own = Constant.of(() -> attacked.logits(inputs.images()).softmax(1));
            yield x -> Losses.kl(own, attacked.logits(x));
          }
        });
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor target = Constant.of(() -> teacher.vector(teacher.ask(inputs.images())));
    Network.Outputs adv = student.ask(adversarial);
    Network.Outputs nat = student.ask(inputs.images());
    Loss loss = new Loss();
    switch (base) {
      case PGD_AT -> loss.plus("ce", 1, Losses.crossEntropy(adv.logits(), inputs.labels()));
      case TRADES ->
          loss.plus("ce", 1, Losses.crossEntropy(nat.logits(), inputs.labels()))
              .plus("kl", beta, Losses.klBetweenLogits(nat.logits(), adv.logits()).mean());
    }
    return loss.plus("featAdv", lambda, apart(adv, target))
        .plus("featNat", lambda, apart(nat, target));
  }

  private Tensor apart(Network.Outputs own, Tensor target) {
    Tensor feature = student.vector(own);
    Tensor brought = head.map(h -> h.apply(feature)).orElse(feature);
    return FeatureAlignment.apart(distance, brought, target).mean();
  }

  @Override
  public Map<String, Tensor> parameters() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    head.ifPresent(h -> h.parameters().forEach((name, t) -> all.put("head." + name, t)));
    return all;
  }
}
