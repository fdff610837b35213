package bridge.architecture;

import bridge.Options;
import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * ShuffleNetV2 (Ma et al. 2018) for small images: a stem of stride 1 without pooling, then three
 * stages of 4, 8 and 4 blocks, of which the first halves the map. {@code width} chooses the public
 * channels: 0.5, 1, 1.5 or 2. Weights start as PyTorch's default.
 *
 * <p>chenyaofo's form ({@code shufflenetv2.py}, after torchvision) and kuangliu's compute the same
 * under other names. kuangliu's has 224 instead of 244 channels at width 2; it is for 10 classes
 * and images of 32 pixels in the public code, where ours takes any.
 */
final class ShuffleNetV2 extends Architecture {
  static final Family CHENYAOFO = family(Form.CHENYAOFO, 244, "conv5.0.weight");
  static final Family KUANGLIU = family(Form.KUANGLIU, 224, "conv2.weight");

  private static final int[] BLOCKS = {4, 8, 4};

  private final Sequential stem;
  private final List<Sequential> stages = new ArrayList<>();
  private final Sequential last;
  private final AveragePool pool;
  private final Linear head;

  private enum Form {
    CHENYAOFO,
    KUANGLIU;

    /**
     * Gives steps to a module: as one child of this name, or as kuangliu does, each convolution and
     * its normalisation as children of their own, numbered.
     *
     * @return what runs them
     */
    Sequential register(Module parent, String name, int number, Module... steps) {
      Sequential all = new Sequential(List.of(steps));
      if (this == CHENYAOFO) {
        return parent.child(name, all);
      }
      for (Module step : steps) {
        if (step instanceof Conv2d) {
          parent.child("conv" + number, step);
        } else if (step instanceof BatchNorm2d) {
          parent.child("bn" + number++, step);
        }
      }
      return all;
    }

    String stage(int s) {
      return this == CHENYAOFO ? "stage" + (s + 2) : "layer" + (s + 1);
    }
  }

  private static Family family(Form form, int doubled, String last) {
    String name = "shufflenetv2-" + form.name().toLowerCase(Locale.ROOT);
    Map<Double, int[]> channels = new TreeMap<>();
    channels.put(0.5, new int[] {48, 96, 192, 1024});
    channels.put(1.0, new int[] {116, 232, 464, 1024});
    channels.put(1.5, new int[] {176, 352, 704, 1024});
    channels.put(2.0, new int[] {doubled, 488, 976, 2048});
    return new Family(
        name,
        List.of(name),
        (init, data, _, options) -> new ShuffleNetV2(init, data, chosen(options, channels), form),
        shapes ->
            channels.keySet().stream()
                .filter(width -> channels.get(width)[2] == shapes.size(last, 1))
                .map(width -> Family.Guess.of(name).option("width", width, 1.0))
                .toList());
  }

  private static int[] chosen(Options options, Map<Double, int[]> channels) {
    double width = options.number("width", 1, 0.5, 2);
    if (!channels.containsKey(width)) {
      throw new UsageException(
          "%s must be one of %s, found %s"
              .formatted(options.path("width"), channels.keySet(), width));
    }
    return channels.get(width);
  }

  private ShuffleNetV2(Init init, Dimensions data, int[] channels, Form form) {
    int in = 24;
    stem =
        form.register(
            this,
            "conv1",
            1,
            new Conv2d(init, data.channels(), in, 3, 1),
            new BatchNorm2d(init, in),
            new Operation(Tensor::relu_));
    for (int s = 0; s < BLOCKS.length; s++) {
      List<Block> blocks = new ArrayList<>();
      for (int b = 0; b < BLOCKS[s]; b++) {
        blocks.add(new Block(init, in, channels[s], b == 0, form));
        in = channels[s];
      }
      stages.add(child(form.stage(s), new Sequential(blocks)));
    }
    int out = channels[BLOCKS.length];
    last =
        form.register(
            this,
            "conv5",
            2,
            new Conv2d(init, in, out, 1, 1),
            new BatchNorm2d(init, out),
            new Operation(Tensor::relu_));
    pool = child(POOL, new AveragePool());
    head = child(form == Form.CHENYAOFO ? "fc" : "linear", new Linear(init, out, data.classes()));
  }

  @Override
  protected Tensor forward(Tensor x) {
    x = stem.apply(x);
    for (Sequential stage : stages) {
      x = stage.apply(x);
    }
    return head.apply(pool.apply(last.apply(x)).flatten(1));
  }

  /**
   * Two branches whose channels are put together and dealt out alternately. The first block of a
   * stage gives both the whole input and halves the map; in the others each has one half of the
   * channels, and the first branch leaves its half as it is.
   */
  private static final class Block extends Module {
    private final boolean halving;
    private final Sequential branch1;
    private final Sequential branch2;

    Block(Init init, int in, int out, boolean halving, Form form) {
      this.halving = halving;
      int half = out / 2;
      int stride = halving ? 2 : 1;
      Module[] steps =
          halving
              ? new Module[] {
                new Conv2d(init, in, in, 3, stride, in),
                new BatchNorm2d(init, in),
                new Conv2d(init, in, half, 1, 1),
                new BatchNorm2d(init, half),
                new Operation(Tensor::relu_)
              }
              : new Module[0];
      branch1 = form.register(this, "branch1", 1, steps);
      branch2 =
          form.register(
              this,
              "branch2",
              halving ? 3 : 1,
              new Conv2d(init, halving ? in : half, half, 1, 1),
              new BatchNorm2d(init, half),
              new Operation(Tensor::relu_),
              new Conv2d(init, half, half, 3, stride, half),
              new BatchNorm2d(init, half),
              new Conv2d(init, half, half, 1, 1),
              new BatchNorm2d(init, half),
              new Operation(Tensor::relu_));
    }

    @Override
    protected Tensor forward(Tensor x) {
      long half = x.size(1) / 2;
      Tensor a = branch1.apply(halving ? x : x.narrow(1, 0, half));
      Tensor b = branch2.apply(halving ? x : x.narrow(1, half, half));
      Tensor y = Tensor.stack(List.of(a, b), 2);
      return y.reshape(y.size(0), -1, y.size(3), y.size(4));
    }
  }
}
