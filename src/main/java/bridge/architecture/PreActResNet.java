package bridge.architecture;

import bridge.Options;
import bridge.torch.Tensor;
import java.util.List;

/**
 * Residual networks with pre-activation for small images: a 3×3 stem without normalisation, four
 * stages of {@link PreActBlock}s from {@code width} (64) channels on, average pooling, one linear
 * layer.
 */
final class PreActResNet {
  /**
   * The {@code kuangliu} form, of which there are four: with {@code bn=true} the last map is
   * normalised and activated; {@code shortcut} says what the projections see, the block's input
   * itself ({@code raw}: RobustBench's PreActBlock) or activated ({@code activated}: kuangliu's
   * own, IAD's, RobustBench's PreActBlockV2 and out_shortcut). Bottlenecks (from depth 50 on)
   * project the activated input in all public code.
   */
  static final Family KUANGLIU =
      new Family(
          "preactresnet(18|34|50|101|152)",
          List.of("preactresnet18", "preactresnet34", "preactresnet50"),
          PreActResNet::kuangliu,
          PreActResNet::kuangliuGuesses);

  /** DeepMind's: pads at the end, and projects the block's input itself, by 3×3. */
  static final Family DEEPMIND =
      new Family(
          "dm-preactresnet(18|34)",
          List.of("dm-preactresnet18", "dm-preactresnet34"),
          PreActResNet::deepMind,
          PreActResNet::deepMindGuesses);

  private static final int WIDTH = 64;

  private enum Shortcut {
    RAW,
    ACTIVATED;

    static Shortcut byDefault(boolean bottleneck) {
      return bottleneck ? ACTIVATED : RAW;
    }
  }

  private PreActResNet() {}

  private static Architecture kuangliu(Init init, Dimensions data, int[] numbers, Options options) {
    boolean bottleneck = ResNet.bottleneck(numbers[0]);
    List<String> names =
        List.of("bn1", "relu1", "conv1", "bn2", "relu2", "conv2", "bn3", "relu3", "conv3");
    PreActBlock.Style style =
        new PreActBlock.Style(
            names.subList(0, bottleneck ? 9 : 6),
            Tensor::relu_,
            Conv2d::new,
            "shortcut",
            (i, in, out, kernel, stride) ->
                new Sequential(List.of(new Conv2d(i, in, out, kernel, stride))),
            options.choice("shortcut", Shortcut.byDefault(bottleneck)) == Shortcut.ACTIVATED);
    int width = options.integer("width", WIDTH, 1, 4096);
    Chain net = new Chain().then("conv1", new Conv2d(init, data.channels(), width, 3, 1));
    int out =
        stages(
            net, init, style, List.of("layer1", "layer2", "layer3", "layer4"), width, numbers[0]);
    if (options.flag("bn", false)) {
      net.then("bn", new BatchNorm2d(init, out)).then("relu", new Operation(Tensor::relu_));
    }
    return net.end("linear", new Linear(init, out, data.classes()));
  }

  private static Architecture deepMind(Init init, Dimensions data, int[] numbers, Options options) {
    PreActBlock.Style style =
        new PreActBlock.Style(
            List.of("batchnorm_0", "relu_0", "conv_2d_1", "batchnorm_1", "relu_1", "conv_2d_2"),
            DeepMind.activation(options),
            Conv2d::same,
            "shortcut",
            (i, in, out, _, stride) -> Conv2d.same(i, in, out, 3, stride),
            false);
    int width = options.integer("width", WIDTH, 1, 4096);
    Chain net =
        DeepMind.start(init, data, options)
            .then("conv_2d", new Conv2d(init, data.channels(), width, 3, 1));
    int out =
        stages(
            net,
            init,
            style,
            List.of("layer_0", "layer_1", "layer_2", "layer_3"),
            width,
            numbers[0]);
    return net.then("batchnorm", new BatchNorm2d(init, out))
        .then("relu", new Operation(style.activation()))
        .end("logits", new Linear(init, out, data.classes()));
  }

  /** The four stages; returns the channels of the last. */
  private static int stages(
      Chain net, Init init, PreActBlock.Style style, List<String> names, int width, int depth) {
    int in = width;
    for (int s = 0; s < names.size(); s++) {
      net.then(
          names.get(s), style.stage(init, in, width << s, ResNet.blocks(depth)[s], s == 0 ? 1 : 2));
      in = (width << s) * style.expansion();
    }
    return in;
  }

  private static List<Family.Guess> kuangliuGuesses(Shapes shapes) {
    boolean bottleneck = shapes.has("layer1.0.conv3.weight");
    int third = shapes.count("layer3.%d.conv1.weight");
    Family.Guess guess =
        Family.Guess.of("preactresnet%d", ResNet.depth(third, bottleneck))
            .option("width", shapes.out("conv1.weight"), WIDTH)
            .option("bn", shapes.has("bn.weight"), false);
    return List.of(guess, guess.option("shortcut", bottleneck ? "raw" : "activated", ""));
  }

  private static List<Family.Guess> deepMindGuesses(Shapes shapes) {
    int third = shapes.count("layer_2.%d.conv_2d_1.weight");
    return DeepMind.guesses(
        Family.Guess.of("dm-preactresnet%d", ResNet.depth(third, false))
            .option("width", shapes.out("conv_2d.weight"), WIDTH),
        shapes.channels());
  }
}
