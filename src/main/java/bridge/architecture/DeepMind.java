package bridge.architecture;

import bridge.Options;
import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * What DeepMind's networks share (Gowal et al. 2020, {@code adversarial_robustness/pytorch}): they
 * normalise the images themselves, with constants that are not saved (some copies of the code save
 * them as {@code mean} and {@code std}; such a state_dict fits all the same), and choose an
 * activation. A state_dict tells neither.
 */
final class DeepMind {

  private enum Activation {
    SWISH,
    RELU
  }

  /** The constants of DeepMind's evaluation, by the data they were made for. */
  private enum Constants {
    CIFAR10(0, new float[] {.4914f, .4822f, .4465f}, new float[] {.2471f, .2435f, .2616f}),
    CIFAR100(0, new float[] {.5071f, .4865f, .4409f}, new float[] {.2673f, .2564f, .2762f}),
    /** With 2 pixels of black around, which make 32 of 28. */
    MNIST(2, new float[] {.5f}, new float[] {.5f}),
    NONE(0, new float[0], new float[0]);

    private final int padding;
    private final float[] mean;
    private final float[] std;

    Constants(int padding, float[] mean, float[] std) {
      this.padding = padding;
      this.mean = mean;
      this.std = std;
    }

    boolean fit(int channels) {
      return this == NONE || mean.length == channels;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Zeros around the images [N, C, H, W], then (x − mean) / std. */
  private static final class Standardise extends Module {
    private final int padding;
    private final Tensor mean;
    private final Tensor std;

    Standardise(Init init, Constants constants) {
      padding = constants.padding;
      mean = constant(init.perChannel(constants.mean));
      std = constant(init.perChannel(constants.std));
    }

    @Override
    protected Tensor forward(Tensor x) {
      return x.pad(padding, padding, padding, padding).sub(mean).div(std);
    }
  }

  private DeepMind() {}

  /** The option {@code activation}: {@code swish} (x · sigmoid(x)) or {@code relu}. */
  static UnaryOperator<Tensor> activation(Options options) {
    return options.choice("activation", Activation.SWISH) == Activation.SWISH
        ? Tensor::silu
        : Tensor::relu_;
  }

  /**
   * A network that begins as the option {@code normalise} says. It is {@code cifar10} for colour
   * images if not said otherwise, whatever their classes, as the distillation papers have it;
   * DeepMind's own evaluation of CIFAR-100 takes {@code cifar100}.
   */
  static Chain start(Init init, Dimensions data, Options options) {
    int channels = data.channels();
    Constants fallback =
        channels == 1 ? Constants.MNIST : channels == 3 ? Constants.CIFAR10 : Constants.NONE;
    Constants chosen = options.choice("normalise", fallback);
    if (!chosen.fit(channels)) {
      throw new UsageException(
          "%s=%s is for images of %d channels, but the data has %d; use %s"
              .formatted(
                  options.path("normalise"), chosen, chosen.mean.length, channels, fallback));
    }
    Chain net = new Chain();
    return chosen == Constants.NONE
        ? net
        : net.then("normalise", new Standardise(init, chosen))
            .normalisation("normalised inside by the constants of " + chosen);
  }

  /** All that have this one's tensors, the likeliest first. */
  static List<Family.Guess> guesses(Family.Guess one, int channels) {
    List<String> constants = channels == 3 ? List.of("", "cifar100", "none") : List.of("", "none");
    return constants.stream()
        .map(normalise -> one.option("normalise", normalise, ""))
        .flatMap(guess -> Stream.of(guess, guess.option("activation", "relu", "")))
        .toList();
  }
}
