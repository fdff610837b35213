package bridge.architecture;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

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
          (init, data, _, options) ->
              new MobileNetV2(init, data, options.number("width", 1, 1.0 / 32, 16)),
          shapes -> guesses(shapes));

  /** Expansion, channels, blocks, stride of the first. */
  private static final int[][] STAGES = {
    {1, 16, 1, 1},
    {6, 24, 2, 1},
    {6, 32, 3, 2},
    {6, 64, 4, 2},
    {6, 96, 3, 1},
    {6, 160, 3, 2},
    {6, 320, 1, 1}
  };

  private final Conv2d conv1;
  private final BatchNorm2d bn1;
  private final Sequential layers;
  private final Conv2d conv2;
  private final BatchNorm2d bn2;
  private final AveragePool pool;
  private final Linear linear;

  private MobileNetV2(Init init, Dimensions data, double width) {
    int in = scaled(32, width);
    int last = scaled(1280, Math.max(1, width));
    conv1 = child("conv1", new Conv2d(init, data.channels(), in, 3, 1));
    bn1 = child("bn1", new BatchNorm2d(init, in));
    List<Block> blocks = new ArrayList<>();
    for (int[] stage : STAGES) {
      int out = scaled(stage[1], width);
      for (int b = 0; b < stage[2]; b++) {
        blocks.add(new Block(init, in, out, stage[0], b == 0 ? stage[3] : 1));
        in = out;
      }
    }
    layers = child("layers", new Sequential(blocks));
    conv2 = child("conv2", new Conv2d(init, in, last, 1, 1));
    bn2 = child("bn2", new BatchNorm2d(init, last));
    pool = child(POOL, new AveragePool());
    linear = child("linear", new Linear(init, last, data.classes()));
  }

  /** The width in eighths that gives the last stage its channels. */
  private static List<Family.Guess> guesses(Shapes shapes) {
    int last = shapes.out("layers.16.conv3.weight");
    return last == 320 ? List.of() : List.of(Family.Guess.of("mobilenetv2:width=%s", last / 320.0));
  }

  /** The nearest multiple of 8, never less than nine tenths of what was asked for. */
  private static int scaled(int channels, double width) {
    double wanted = channels * width;
    int near = Math.max(8, (int) (wanted + 4) / 8 * 8);
    return near < 0.9 * wanted ? near + 8 : near;
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
      int wide = in * expansion;
      conv1 = child("conv1", new Conv2d(init, in, wide, 1, 1));
      bn1 = child("bn1", new BatchNorm2d(init, wide));
      conv2 = child("conv2", new Conv2d(init, wide, wide, 3, stride, wide));
      bn2 = child("bn2", new BatchNorm2d(init, wide));
      conv3 = child("conv3", new Conv2d(init, wide, out, 1, 1));
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
