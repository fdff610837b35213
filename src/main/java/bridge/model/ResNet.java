package bridge.model;

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
final class ResNet extends Module {
  static final String POOL = "avgpool";

  private final Conv2d conv1;
  private final BatchNorm2d bn1;
  private final List<Sequential> stages = new ArrayList<>();
  private final AveragePool pool;
  private final Linear head;

  private ResNet(
      Init init,
      int channels,
      int classes,
      int width,
      int stride,
      int[] blocks,
      String shortcut,
      String head) {
    conv1 = child("conv1", new Conv2d(init, channels, width, 3, stride));
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
    this.head = child(head, new Linear(init, in, classes));
  }

  /** Four stages from {@code width} channels on; ResNet-18 has two blocks in each, width 64. */
  static ResNet wide(Init init, int channels, int classes, int width, int... blocks) {
    return new ResNet(init, channels, classes, width, 1, blocks, "shortcut", "linear");
  }

  /**
   * Three stages of (depth − 2) / 6 blocks from {@code width} (16) channels on; a stem of stride 2
   * (1 in the papers) halves every map.
   */
  static ResNet thin(Init init, int channels, int classes, int width, int stride, int depth) {
    int n = (depth - 2) / 6;
    int[] blocks = {n, n, n};
    return new ResNet(init, channels, classes, width, stride, blocks, "downsample", "fc");
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
