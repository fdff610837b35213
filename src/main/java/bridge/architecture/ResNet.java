package bridge.architecture;

import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Residual networks for small images (He et al. 2016): a 3×3 stem without pooling, stages of basic
 * blocks that double the channels and halve the map, average pooling, one linear layer.
 *
 * <p>Shortcuts are projections where the shape changes. Names are those of the public code: {@code
 * kuangliu} for ResNet-18 and 34, {@code chenyaofo} for the thin ResNet-20 to 110.
 */
final class ResNet extends Architecture {
  /** ResNet-18 and 34; four stages from {@code width} (64) channels on. */
  static final Family KUANGLIU =
      new Family(
          "resnet(18|34)",
          List.of("resnet18", "resnet34"),
          (init, data, numbers, options) ->
              new ResNet(
                  init,
                  data,
                  options.integer("width", 64, 1, 4096),
                  1,
                  numbers[0] == 18 ? new int[] {2, 2, 2, 2} : new int[] {3, 4, 6, 3},
                  "shortcut",
                  "linear"),
          shapes ->
              List.of(
                  Family.Guess.of(
                      "resnet%d%s",
                      shapes.count("layer1.%d.conv1.weight") == 2 ? 18 : 34, width(shapes, 64))));

  /**
   * ResNet-20 to 110, any depth 6n + 2: three stages of n blocks from {@code width} (16) channels
   * on; a stem of {@code stride} 2 (1 in the papers) halves every map.
   */
  static final Family CHENYAOFO =
      new Family(
          "resnet(\\d{1,4})",
          List.of(
              "resnet8", "resnet14", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
          (init, data, numbers, options) ->
              new ResNet(
                  init.with(Init.Convolutions.NORMAL_FAN_OUT),
                  data,
                  options.integer("width", 16, 1, 4096),
                  options.integer("stride", 1, 1, 2),
                  thirds(numbers[0]),
                  "downsample",
                  "fc"),
          shapes ->
              List.of(
                  Family.Guess.of(
                      "resnet%d%s",
                      6 * shapes.count("layer1.%d.conv1.weight") + 2, width(shapes, 16))));

  private final Conv2d conv1;
  private final BatchNorm2d bn1;
  private final List<Sequential> stages = new ArrayList<>();
  private final AveragePool pool;
  private final Linear head;

  private ResNet(
      Init init,
      Dimensions data,
      int width,
      int stride,
      int[] blocks,
      String shortcut,
      String head) {
    conv1 = child("conv1", new Conv2d(init, data.channels(), width, 3, stride));
    bn1 = child("bn1", new BatchNorm2d(init, width));
    int in = width;
    for (int s = 0; s < blocks.length; s++) {
      int out = width << s;
      List<Block> stage = new ArrayList<>();
      for (int b = 0; b < blocks[s]; b++) {
        stage.add(new Block(init, in, out, b == 0 && s > 0 ? 2 : 1, shortcut));
        in = out;
      }
      stages.add(child("layer" + (s + 1), new Sequential(stage)));
    }
    pool = child(POOL, new AveragePool());
    this.head = child(head, new Linear(init, in, data.classes()));
  }

  /** Blocks of each stage for a depth of 6n + 2. */
  private static int[] thirds(int depth) {
    int n = (depth - 2) / 6;
    if (n < 1 || depth != 6 * n + 2) {
      throw new UsageException(
          "resnet%d: the depth must be 18, 34, or 6n + 2 such as 20, 32, 44, 56 or 110"
              .formatted(depth));
    }
    return new int[] {n, n, n};
  }

  /** The option for a width that is not the usual one. */
  private static String width(Shapes shapes, int usual) {
    int width = shapes.out("conv1.weight");
    return width == usual ? "" : ":width=" + width;
  }

  @Override
  protected Tensor forward(Tensor x) {
    x = bn1.apply(conv1.apply(x)).relu_();
    for (Sequential stage : stages) {
      x = stage.apply(x);
    }
    return head.apply(pool.apply(x).flatten(1));
  }

  /** Two 3×3 convolutions and the input added. */
  private static final class Block extends Module {
    private final Conv2d conv1;
    private final BatchNorm2d bn1;
    private final Conv2d conv2;
    private final BatchNorm2d bn2;
    private final Module shortcut;

    Block(Init init, int in, int out, int stride, String shortcut) {
      conv1 = child("conv1", new Conv2d(init, in, out, 3, stride));
      bn1 = child("bn1", new BatchNorm2d(init, out));
      conv2 = child("conv2", new Conv2d(init, out, out, 3, 1));
      bn2 = child("bn2", new BatchNorm2d(init, out));
      this.shortcut =
          stride == 1 && in == out
              ? null
              : child(
                  shortcut,
                  new Sequential(
                      List.of(new Conv2d(init, in, out, 1, stride), new BatchNorm2d(init, out))));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = bn1.apply(conv1.apply(x)).relu_();
      y = bn2.apply(conv2.apply(y));
      return y.add_(shortcut == null ? x : shortcut.apply(x)).relu_();
    }
  }
}
