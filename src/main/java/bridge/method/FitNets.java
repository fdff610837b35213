package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.architecture.Init;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Reference;
import bridge.method.parts.Regressor;
import bridge.method.parts.Tap;
import bridge.method.parts.TrainedModules;
import bridge.method.parts.Turn;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * FitNets (Romero, Ballas, Kahou, Chassang, Gatta, Bengio: FitNets: Hints for Thin Deep Nets, ICLR
 * 2015): a map u in the middle of the student is drawn to a map v of the teacher through a {@link
 * Regressor} r that is thrown away afterwards. On clean images, without an attack.
 *
 * <pre>
 *   CODE   L = γ CE(s, y) + α T² KL(t/T ‖ s/T) + β mean (r(u) − v)²      in one stage
 *   PAPER  epochs to hintEpochs:  L = β mean_b ½ ‖r(u) − v‖²
 *          epochs after that:     L = γ CE(s, y) − α(e) mean_b Σ softmax(t/T) log softmax(s/T)
 * </pre>
 *
 * <p>CODE is what distillation papers compare with: RepDistiller (HobbitLong/RepDistiller,
 * train_student.py, {@code hint}), whose regressor has batch normalisation and a convolution for
 * maps of half or twice the height; the mean is over all elements; γ = 1, α = 0, β = 100. PAPER has
 * the paper's two stages (its equations 2 to 4): the regressor is a convolution without padding and
 * without batch normalisation, or nothing where the shapes agree; T = 3, and α falls in equal steps
 * per epoch from 4 to {@code alphaLast} = 1, from epoch 5 to epoch {@code decayEpochs} = 400 of the
 * second stage, as in the authors' files (adri-romsor/FitNets, yaml/ and extensions/), which for
 * ReLU layers sum the hint's squares over one axis only. One learning rate and optimiser for both
 * stages are ours.
 *
 * <p>The teacher's map is the recipe's {@code features} of the teacher, the student's is {@code
 * featLayer}.
 */
final class FitNets implements Method {
  private static final int DECAY_FROM = 5;

  /** How α falls, of PAPER; with CODE there are no epochs of hints alone, and it does not fall. */
  record Stages(int hintEpochs, double alphaLast, int decayEpochs) {
    static Stages from(Options options) {
      return new Stages(
          options.integer("hintEpochs", 100, 0, 1_000_000),
          options.number("alphaLast", 1, 0, 1e6),
          options.integer("decayEpochs", 400, DECAY_FROM + 1, 1_000_000));
    }

    /**
     * α in an epoch of the second stage.
     *
     * @param epoch counted from 1 in that stage
     * @param first α at its beginning
     */
    double alpha(int epoch, double first) {
      double steps = decayEpochs - DECAY_FROM + 1;
      double past = Math.min(Math.max(epoch - DECAY_FROM, 0), steps);
      return first + (alphaLast - first) * past / steps;
    }
  }

  /**
   * @param layer the student's
   * @param stages there with PAPER
   */
  record Settings(
      String layer,
      double gamma,
      double alpha,
      double beta,
      double temperature,
      Optional<Stages> stages)
      implements MethodSettings {
    static Settings from(Options options) {
      String layer = options.text("featLayer", null);
      boolean staged = Reference.from(options) == Reference.PAPER;
      return new Settings(
          layer,
          options.number("gamma", 1, 0, 1e6),
          options.number("alpha", staged ? 4 : 0, 0, 1e6),
          options.number("beta", staged ? 1 : 100, 0, 1e6),
          options.number("temperature", staged ? 3 : 4, 1e-2, 1e3),
          staged ? Optional.of(Stages.from(options)) : Optional.empty());
    }

    @Override
    public Method over(MethodContext context) {
      return new FitNets(this, context);
    }
  }

  private final Settings settings;
  private final Tap student;
  private final Tap teacher;
  private final TrainedModules modules = new TrainedModules();

  /** Empty where the paper has none. */
  private final Optional<Regressor> regressor;

  private FitNets(Settings settings, MethodContext context) {
    this.settings = settings;
    student = Tap.ofStudent(settings.layer, context);
    teacher = Tap.of(context.teacher());
    regressor = regressor(context);
  }

  private Optional<Regressor> regressor(MethodContext context) {
    long[] from = map(student, context, "the student", "method.featLayer");
    long[] to = map(teacher, context, "the teacher", "the teacher's features");
    boolean code = settings.stages.isEmpty();
    if (!code && Arrays.equals(from, to)) {
      return Optional.empty();
    }
    Init init = Init.of(context.seeds(), "heads", student.type(), context.device());
    return Optional.of(modules.add("regressor", new Regressor(from, to, code, code, init)));
  }

  private static long[] map(Tap tap, MethodContext context, String owner, String key) {
    long[] sizes = tap.sizes(context);
    if (sizes.length != 4) {
      throw new UsageException(
          "method fitnets needs a map [N, C, H, W] of %s, but %s gives %s; name a convolutional layer with %s"
              .formatted(owner, tap.path(), Arrays.toString(sizes), key));
    }
    return Arrays.copyOfRange(sizes, 1, 4);
  }

  @Override
  public Turn begin(Inputs inputs) {
    return Turn.withoutAttack(() -> descend(inputs));
  }

  private Loss descend(Inputs inputs) {
    Network.Outputs outputs = student.forward(inputs.images());
    Network.Outputs target = teacher.constant(inputs.images());
    return settings
        .stages
        .map(stages -> staged(stages, inputs, outputs, target))
        .orElseGet(
            () ->
                new Loss()
                    .plus(
                        "ce",
                        settings.gamma,
                        Losses.crossEntropy(outputs.logits(), inputs.labels()))
                    .plus("kd", settings.alpha, kd(target.logits(), outputs.logits()))
                    .plus("hint", settings.beta, squaredDifferences(outputs, target).mean()));
  }

  private Loss staged(
      Stages stages, Inputs inputs, Network.Outputs outputs, Network.Outputs target) {
    int epoch = inputs.epoch() - stages.hintEpochs;
    if (epoch <= 0) {
      Tensor hint = squaredDifferences(outputs, target).sum(1, 2, 3).mean().mul(0.5);
      return new Loss().plus("hint", settings.beta, hint);
    }
    double alpha = stages.alpha(epoch, settings.alpha);
    return new Loss()
        .plus("ce", settings.gamma, Losses.crossEntropy(outputs.logits(), inputs.labels()))
        .plus("kd", alpha, softCrossEntropy(target.logits(), outputs.logits()));
  }

  private Tensor squaredDifferences(Network.Outputs outputs, Network.Outputs target) {
    Tensor feature = student.feature(outputs);
    Tensor regressed = regressor.map(r -> r.apply(feature)).orElse(feature);
    Tensor difference = regressed.sub(teacher.feature(target));
    return difference.mul(difference);
  }

  private Tensor kd(Tensor target, Tensor logits) {
    return Divergence.softened(target, logits, settings.temperature).mean();
  }

  /** The cross-entropy with the teacher's softened prediction. */
  private Tensor softCrossEntropy(Tensor target, Tensor logits) {
    double t = settings.temperature;
    Tensor p = target.div(t).softmax(1);
    return p.mul(logits.div(t).logSoftmax(1)).sum(1).mean().neg();
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
