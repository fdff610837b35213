package bridge.architecture;

import bridge.Options;
import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Wide residual networks (Zagoruyko and Komodakis 2016): a 3×3 stem of 16 channels, three groups of
 * {@link PreActBlock}s of 16, 32 and 64 times the width, normalisation, activation, average
 * pooling, one linear layer. The name gives depth, 6n + 4 for n blocks a group, and width.
 */
final class WideResNet {
  /**
   * The class of TRADES, MART, IAD and many more. With {@code subblock=true} it has a fourth group,
   * {@code sub_block1}, as long as the first and never used, as TRADES's own files have it: it is
   * loaded and saved, but no gradient reaches it, so training leaves it as it is. With {@code
   * bias=false} the last layer has none, and with {@code cosine=true} as well it is a {@link
   * CosineLinear}, as Pang et al. 2020 have it.
   */
  static final Family TRADES =
      new Family(
          "wrn-(\\d{1,4})-([1-9]\\d{0,2})",
          List.of("wrn-28-10", "wrn-34-10", "wrn-34-20"),
          WideResNet::trades,
          WideResNet::tradesGuesses);

  /** DeepMind's and MTARD's: pads at the end. */
  static final Family DEEPMIND =
      new Family(
          "dm-wrn-(\\d{1,4})-([1-9]\\d{0,2})",
          List.of("dm-wrn-28-10", "dm-wrn-34-10", "dm-wrn-34-20", "dm-wrn-70-16"),
          WideResNet::deepMind,
          WideResNet::deepMindGuesses);

  private static final int STEM = 16;

  private WideResNet() {}

  private static Architecture trades(Init base, Dimensions data, int[] numbers, Options options) {
    Init init = base.with(Init.Convolutions.NORMAL_FAN_OUT);
    PreActBlock.Style style =
        new PreActBlock.Style(
            List.of("bn1", "relu1", "conv1", "bn2", "relu2", "conv2"),
            Tensor::relu_,
            Conv2d::new,
            "convShortcut",
            Conv2d::new,
            true);
    Chain net =
        new Chain()
            .then("conv1", new Conv2d(init, data.channels(), STEM, 3, 1))
            .then("block1", group(init, style, "layer", numbers, 0));
    if (options.flag("subblock", false)) {
      net.unused("sub_block1", group(init, style, "layer", numbers, 0));
    }
    int out = channels(numbers, 2);
    return net.then("block2", group(init, style, "layer", numbers, 1))
        .then("block3", group(init, style, "layer", numbers, 2))
        .then("bn1", new BatchNorm2d(init, out))
        .then("relu", new Operation(style.activation()))
        .end("fc", head(init, out, data.classes(), options));
  }

  private static Module head(Init init, int in, int classes, Options options) {
    boolean bias = options.flag("bias", true);
    boolean cosine = options.flag("cosine", false);
    if (bias && cosine) {
      throw new UsageException(
          "%s=true is for a last layer without a bias; add bias=false"
              .formatted(options.path("cosine")));
    }
    Tensor weight = init.uniform(in, classes, in);
    return cosine
        ? new CosineLinear(weight)
        : new Linear(weight, bias ? init.constant(0, classes) : null);
  }

  private static Architecture deepMind(Init init, Dimensions data, int[] numbers, Options options) {
    PreActBlock.Style style =
        new PreActBlock.Style(
            List.of("batchnorm_0", "relu_0", "conv_0", "batchnorm_1", "relu_1", "conv_1"),
            DeepMind.activation(options),
            Conv2d::same,
            "shortcut",
            Conv2d::new,
            true);
    int out = channels(numbers, 2);
    return DeepMind.start(init, data, options)
        .then("init_conv", new Conv2d(init, data.channels(), STEM, 3, 1))
        .then(
            "layer",
            new Sequential(
                IntStream.range(0, 3)
                    .mapToObj(g -> group(init, style, "block", numbers, g))
                    .toList()))
        .then("batchnorm", new BatchNorm2d(init, out))
        .then("relu", new Operation(style.activation()))
        .end("logits", new Linear(init, out, data.classes()));
  }

  /** Group g = 0, 1, 2 with its blocks under a name. */
  private static Sequential group(
      Init init, PreActBlock.Style style, String name, int[] numbers, int g) {
    int in = g == 0 ? STEM : channels(numbers, g - 1);
    return new Sequential()
        .add(name, style.stage(init, in, channels(numbers, g), blocks(numbers[0]), g == 0 ? 1 : 2));
  }

  private static int channels(int[] numbers, int g) {
    return STEM * numbers[1] << g;
  }

  private static int blocks(int depth) {
    int n = (depth - 4) / 6;
    if (n < 1 || depth != 6 * n + 4) {
      throw new UsageException(
          "the depth of a wide ResNet must be 6n + 4 such as 16, 28, 34 or 70, found " + depth);
    }
    return n;
  }

  private static List<Family.Guess> tradesGuesses(Shapes shapes) {
    Family.Guess guess =
        guess("wrn", shapes, "block1.layer.%d.conv1.weight")
            .option("subblock", shapes.has("sub_block1.layer.0.conv1.weight"), false)
            .option("bias", shapes.has("fc.bias") || !shapes.has("fc.weight"), true);
    return guess.text().contains("bias=false")
        ? List.of(guess, guess.option("cosine", true, false))
        : List.of(guess);
  }

  private static List<Family.Guess> deepMindGuesses(Shapes shapes) {
    return DeepMind.guesses(
        guess("dm-wrn", shapes, "layer.0.block.%d.conv_0.weight"), shapes.channels());
  }

  /** The name, by the keys of the first group's weights. */
  private static Family.Guess guess(String kind, Shapes shapes, String format) {
    int width = shapes.out(format.formatted(0)) / STEM;
    return Family.Guess.of("%s-%d-%d", kind, 6 * shapes.count(format) + 4, width);
  }
}
