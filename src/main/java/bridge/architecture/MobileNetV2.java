package bridge.architecture;

import bridge.Options;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * MobileNetV2 (Sandler et al. 2018) for small images, in the {@code kuangliu} form the distillation
 * papers use: stem and 24-channel stage of stride 1, ReLU instead of ReLU6, and a projection
 * shortcut wherever stride is 1 and the channels change.
 */
final class MobileNetV2 extends Architecture {
  static final Family KUANGLIU =
      new Family(
          "mobilenetv2",
          List.of("mobilenetv2"),
          (init, data, _, options) -> new MobileNetV2(init, data, channels(options)),
          shapes ->
              guesses(
                  "mobilenetv2",
                  shapes,
                  "conv1.weight",
                  "layers.%d.conv3.weight"::formatted,
                  "conv2.weight"));

  /** Expansion, blocks, stride of the first. */
  static final int[][] STAGES = {
    {1, 1, 1}, {6, 2, 1}, {6, 3, 2}, {6, 4, 2}, {6, 3, 1}, {6, 3, 2}, {6, 1, 1}
  };

  /** Of the stem, the stages and the last convolution, at width 1. */
  private static final int[] CHANNELS = {32, 16, 24, 32, 64, 96, 160, 320, 1280};

  private final Conv2d conv1;
  private final BatchNorm2d bn1;
  private final Sequential layers;
  private final Conv2d conv2;
  private final BatchNorm2d bn2;
  private final AveragePool pool;
  private final Linear linear;

  private MobileNetV2(Init init, Dimensions data, int[] channels) {
    int in = channels[0];
    int last = channels[STAGES.length + 1];
    conv1 = child("conv1", new Conv2d(init, data.channels(), in, 3, 1));
    bn1 = child("bn1", new BatchNorm2d(init, in));
    List<Block> blocks = new ArrayList<>();
    for (int s = 0; s < STAGES.length; s++) {
      int[] stage = STAGES[s];
      for (int b = 0; b < stage[1]; b++) {
        blocks.add(new Block(init, in, channels[s + 1], stage[0], b == 0 ? stage[2] : 1));
        in = channels[s + 1];
      }
    }
    layers = child("layers", new Sequential(blocks));
    conv2 = child("conv2", new Conv2d(init, in, last, 1, 1));
    bn2 = child("bn2", new BatchNorm2d(init, last));
    pool = child(POOL, new AveragePool());
    linear = child("linear", new Linear(init, last, data.classes()));
  }

  /** Of the stem, the stages and the last convolution, which no width narrows. */
  static int[] channels(Options options) {
    return channels(options.number("width", 1, 1.0 / 32, 16));
  }

  private static int[] channels(double width) {
    int[] channels = Arrays.stream(CHANNELS).map(c -> scaled(c * width)).toArray();
    channels[STAGES.length + 1] = scaled(1280 * Math.max(1, width));
    return channels;
  }

  /** The nearest multiple of 8, never less than nine tenths of what was asked for. */
  private static int scaled(double channels) {
    int rounded = Math.max(8, (int) (channels + 4) / 8 * 8);
    return rounded < 0.9 * channels ? rounded + 8 : rounded;
  }

  /**
   * The width of the fewest digits that gives a state_dict's weights their channels.
   *
   * @param block the key of the weight that gives the output of the block of this number
   */
  static List<Family.Guess> guesses(
      String name, Shapes shapes, String stem, IntFunction<String> block, String last) {
    int[] channels = new int[CHANNELS.length];
    channels[0] = shapes.out(stem);
    int blocks = 0;
    for (int s = 0; s < STAGES.length; s++) {
      blocks += STAGES[s][1];
      channels[s + 1] = shapes.out(block.apply(blocks - 1));
    }
    channels[STAGES.length + 1] = shapes.out(last);
    return List.of(Family.Guess.of(name).option("width", width(channels), 1.0));
  }

  /** Rounding moves the last stage's 320 channels by 8 at most. */
  private static double width(int[] channels) {
    double estimate = channels[STAGES.length] / 320.0;
    for (double parts : new double[] {1, 8, 20, 32, 100}) {
      for (double w = Math.ceil((estimate - 0.025) * parts); w <= (estimate + 0.025) * parts; w++) {
        if (Arrays.equals(channels, channels(w / parts))) {
          return w / parts;
        }
      }
    }
    return estimate;
  }

  @Override
  protected Tensor forward(Tensor x) {
    x = layers.apply(bn1.apply(conv1.apply(x)).relu_());
    x = bn2.apply(conv2.apply(x)).relu_();
    return linear.apply(pool.apply(x).flatten(1));
  }

  /** Widen by 1×1, filter each channel by 3×3, narrow by 1×1. */
  private static final class Block extends Module {
    private final Conv2d conv1;
    private final BatchNorm2d bn1;
    private final Conv2d conv2;
    private final BatchNorm2d bn2;
    private final Conv2d conv3;
    private final BatchNorm2d bn3;
    private final boolean residual;
    private final Module shortcut;

    Block(Init init, int in, int out, int expansion, int stride) {
      int expanded = in * expansion;
      conv1 = child("conv1", new Conv2d(init, in, expanded, 1, 1));
      bn1 = child("bn1", new BatchNorm2d(init, expanded));
      conv2 = child("conv2", new Conv2d(init, expanded, expanded, 3, stride, expanded));
      bn2 = child("bn2", new BatchNorm2d(init, expanded));
      conv3 = child("conv3", new Conv2d(init, expanded, out, 1, 1));
      bn3 = child("bn3", new BatchNorm2d(init, out));
      residual = stride == 1;
      shortcut =
          residual && in != out
              ? child(
                  "shortcut",
                  new Sequential(
                      List.of(new Conv2d(init, in, out, 1, 1), new BatchNorm2d(init, out))))
              : null;
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = bn1.apply(conv1.apply(x)).relu_();
      y = bn2.apply(conv2.apply(y)).relu_();
      y = bn3.apply(conv3.apply(y));
      return residual ? y.add_(shortcut == null ? x : shortcut.apply(x)) : y;
    }
  }
}
