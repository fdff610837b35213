package bridge.architecture;

import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Residual networks for small images (He et al. 2016): a 3×3 stem without pooling, stages of basic
 * or bottleneck blocks that double the channels and halve the map, average pooling, one linear
 * layer.
 *
 * <p>Shortcuts are projections where the shape changes. Names are those of the public code: {@code
 * kuangliu} for ResNet-18 to 152, {@code chenyaofo} for the thin ResNet-20 to 110.
 */
final class ResNet extends Architecture {
  /**
   * ResNet-18 and 34, and with bottlenecks 50 on; four stages from {@code width} (64) channels on.
   */
  static final Family KUANGLIU =
      new Family(
          "resnet(18|34|50|101|152)",
          List.of("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
          (init, data, numbers, options) ->
              new ResNet(
                  init,
                  data,
                  options.integer("width", 64, 1, 4096),
                  1,
                  blocks(numbers[0]),
                  bottleneck(numbers[0]),
                  "shortcut",
                  "linear"),
          shapes ->
              List.of(
                  Family.Guess.of(
                      "resnet%d%s",
                      depth(
                          shapes.count("layer3.%d.conv1.weight"),
                          shapes.has("layer1.0.conv3.weight")),
                      width(shapes, 64))));

  /**
   * ResNet-20 to 110, any depth 6n + 2 but 50 and 152: three stages of n blocks from {@code width}
   * (16) channels on; a stem of {@code stride} 2 (1 in the papers) halves every map.
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
                  false,
                  "downsample",
                  "fc"),
          ResNet::thin);

  private static List<Family.Guess> thin(Shapes shapes) {
    int depth = 6 * shapes.count("layer1.%d.conv1.weight") + 2;
    Family.Guess one = Family.Guess.of("resnet%d%s", depth, width(shapes, 16));
    return List.of(one, one.option("stride", 2, 1));
  }

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
      boolean bottleneck,
      String shortcut,
      String head) {
    conv1 = child("conv1", new Conv2d(init, data.channels(), width, 3, stride));
    bn1 = child("bn1", new BatchNorm2d(init, width));
    int in = width;
    for (int s = 0; s < blocks.length; s++) {
      List<Block> stage = new ArrayList<>();
      for (int b = 0; b < blocks[s]; b++) {
        int first = b == 0 && s > 0 ? 2 : 1;
        stage.add(new Block(init, in, width << s, bottleneck, first, shortcut));
        in = (width << s) * (bottleneck ? 4 : 1);
      }
      stages.add(child("layer" + (s + 1), new Sequential(stage)));
    }
    pool = child(POOL, new AveragePool());
    this.head = child(head, new Linear(init, in, data.classes()));
  }

  /** Whether a network of this depth is made of bottlenecks. */
  static boolean bottleneck(int depth) {
    return depth >= 50;
  }

  /** Blocks of the four stages for a depth of 18, 34, 50, 101 or 152. */
  static int[] blocks(int depth) {
    return switch (depth) {
      case 18 -> new int[] {2, 2, 2, 2};
      case 34, 50 -> new int[] {3, 4, 6, 3};
      case 101 -> new int[] {3, 4, 23, 3};
      default -> new int[] {3, 8, 36, 3};
    };
  }

  /** The depth of four stages, by the blocks of the third. */
  static int depth(int third, boolean bottleneck) {
    return switch (third) {
      case 2 -> 18;
      case 23 -> 101;
      case 36 -> 152;
      default -> bottleneck ? 50 : 34;
    };
  }

  /** Blocks of each stage for a depth of 6n + 2. */
  private static int[] thirds(int depth) {
    int n = (depth - 2) / 6;
    if (n < 1 || depth != 6 * n + 2) {
      throw new UsageException(
          "resnet%d: the depth must be 18, 34, 50, 101, 152, or 6n + 2 such as 20, 32, 56 or 110"
              .formatted(depth));
    }
    return new int[] {n, n, n};
  }

  /** The option for a width that is not the usual one. */
  private static String width(Shapes shapes, int standard) {
    int width = shapes.out("conv1.weight");
    return width == standard ? "" : ":width=" + width;
  }

  @Override
  protected Tensor forward(Tensor x) {
    x = bn1.apply(conv1.apply(x)).relu_();
    for (Sequential stage : stages) {
      x = stage.apply(x);
    }
    return head.apply(pool.apply(x).flatten(1));
  }

  /**
   * Two 3×3 convolutions, or as a bottleneck 1×1, 3×3 and 1×1 to four times the width, and the
   * input added.
   */
  private static final class Block extends Module {
    private final List<Conv2d> convolutions = new ArrayList<>();
    private final List<BatchNorm2d> norms = new ArrayList<>();
    private final Module shortcut;

    Block(Init init, int in, int width, boolean bottleneck, int stride, String shortcut) {
      int n = bottleneck ? 3 : 2;
      int channels = in;
      for (int i = 0; i < n; i++) {
        int out = i == 2 ? 4 * width : width;
        int kernel = bottleneck && i != 1 ? 1 : 3;
        Conv2d conv = new Conv2d(init, channels, out, kernel, i == n - 2 ? stride : 1);
        convolutions.add(child("conv" + (i + 1), conv));
        norms.add(child("bn" + (i + 1), new BatchNorm2d(init, out)));
        channels = out;
      }
      this.shortcut =
          stride == 1 && in == channels
              ? null
              : child(
                  shortcut,
                  new Sequential(
                      List.of(
                          new Conv2d(init, in, channels, 1, stride),
                          new BatchNorm2d(init, channels))));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = norms.get(0).apply(convolutions.get(0).apply(x));
      for (int i = 1; i < norms.size(); i++) {
        y = norms.get(i).apply(convolutions.get(i).apply(y.relu_()));
      }
      return y.add_(shortcut == null ? x : shortcut.apply(x)).relu_();
    }
  }
}
