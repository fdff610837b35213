package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Divergence;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
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

  private final Tap student;
  private final Tap teacher;
  private final Reference reference;
  private final double gamma;
  private final double alpha;
  private final double beta;
  private final double temperature;
  private final int hintEpochs;
  private final double alphaLast;
  private final int decayEpochs;

  /** Empty where the paper has none. */
  private final Optional<Regressor> regressor;

  FitNets(Options options, Setting setting) {
    student = new Tap(setting.student(), options.text("featLayer", null));
    teacher = Tap.ofTeacher("fitnets", setting);
    reference = Reference.from(options);
    boolean staged = reference == Reference.PAPER;
    gamma = options.number("gamma", 1, 0, 1e6);
    alpha = options.number("alpha", staged ? 4 : 0, 0, 1e6);
    beta = options.number("beta", staged ? 1 : 100, 0, 1e6);
    temperature = options.number("temperature", staged ? 3 : 4, 1e-2, 1e3);
    hintEpochs = staged ? options.integer("hintEpochs", 100, 0, 1_000_000) : 0;
    alphaLast = staged ? options.number("alphaLast", 1, 0, 1e6) : alpha;
    decayEpochs = staged ? options.integer("decayEpochs", 400, DECAY_FROM + 1, 1_000_000) : 0;
    regressor = regressor(setting);
  }

  private Optional<Regressor> regressor(Setting setting) {
    long[] from = map(student, setting, "the student", "method.featLayer");
    long[] to = map(teacher, setting, "the teacher", "the teacher's features");
    boolean code = reference == Reference.CODE;
    if (!code && Arrays.equals(from, to)) {
      return Optional.empty();
    }
    Device device = setting.device();
    Generator generator = Generator.on(device, setting.seeds().derive("heads"));
    return Optional.of(new Regressor(from, to, code, code, generator, device, student.type()));
  }

  private static long[] map(Tap tap, Setting setting, String owner, String key) {
    long[] sizes = tap.sizes(setting);
    if (sizes.length != 4) {
      throw new UsageException(
          "method fitnets needs a map [N, C, H, W] of %s, but %s gives %s; name a convolutional layer with %s"
              .formatted(owner, tap.path(), Arrays.toString(sizes), key));
    }
    return Arrays.copyOfRange(sizes, 1, 4);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.empty();
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Network.Outputs own = student.ask(inputs.images());
    Network.Outputs said = teacher.askSilently(inputs.images());
    if (reference == Reference.PAPER) {
      return inputs.epoch() <= hintEpochs
          ? new Loss().plus("hint", beta, squares(own, said).sum(1, 2, 3).mean().mul(0.5))
          : new Loss()
              .plus("ce", gamma, Losses.crossEntropy(own.logits(), inputs.labels()))
              .plus("kd", alpha(inputs.epoch() - hintEpochs), soft(said.logits(), own.logits()));
    }
    return new Loss()
        .plus("ce", gamma, Losses.crossEntropy(own.logits(), inputs.labels()))
        .plus("kd", alpha, Divergence.softened(said.logits(), own.logits(), temperature).mean())
        .plus("hint", beta, squares(own, said).mean());
  }

  /** Of an epoch of the second stage, counted from 1. */
  private double alpha(int epoch) {
    double steps = decayEpochs - DECAY_FROM + 1;
    double done = Math.min(Math.max(epoch - DECAY_FROM, 0), steps);
    return alpha + (alphaLast - alpha) * done / steps;
  }

  private Tensor squares(Network.Outputs own, Network.Outputs said) {
    Tensor guided = student.feature(own);
    Tensor brought = regressor.map(r -> r.apply(guided)).orElse(guided);
    Tensor apart = brought.sub(teacher.feature(said));
    return apart.mul(apart);
  }

  private Tensor soft(Tensor said, Tensor own) {
    Tensor target = said.div(temperature).softmax(1);
    return target.mul(own.div(temperature).logSoftmax(1)).sum(1).mean().neg();
  }

  @Override
  public Map<String, Tensor> parameters() {
    return named(false);
  }

  @Override
  public Map<String, Tensor> state() {
    return named(true);
  }

  private Map<String, Tensor> named(boolean buffers) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    regressor.ifPresent(
        r -> {
          r.parameters().forEach((name, t) -> all.put("regressor." + name, t));
          if (buffers) {
            r.buffers().forEach((name, t) -> all.put("regressor." + name, t));
          }
        });
    return all;
  }
}
