package bridge.architecture;

import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * RepVGG-A0, A1 and A2 (Ding et al. 2021) for small images, as chenyaofo has them ({@code
 * repvgg.py}): stem and first stage of stride 1, then three stages that halve the map. In training
 * a block adds a 3×3 convolution, a 1×1 convolution and its input, each normalised; with {@code
 * deploy} it is one 3×3 convolution with bias, whose tensors {@link #deploy} computes. {@code
 * width} (1) multiplies all channels. Weights start as PyTorch's default, as there.
 */
public final class RepVgg {
  static final Family FAMILY =
      new Family(
          "repvgg-a([012])",
          List.of("repvgg-a0", "repvgg-a1", "repvgg-a2"),
          (init, data, numbers, options) ->
              build(
                  init,
                  data,
                  numbers[0],
                  options.number("width", 1, 1.0 / 64, 16),
                  options.flag("deploy", false)),
          RepVgg::guesses);

  private static final int[] BLOCKS = {1, 2, 4, 14, 1};

  /** a and b of A0, A1, A2: factors of the channels of all stages but the last, and of the last. */
  private static final double[][] FACTORS = {{0.75, 2.5}, {1, 2.5}, {1.5, 2.75}};

  private static final String GAP = "gap";
  private static final String DENSE = "rbr_dense.conv.weight";

  private RepVgg() {}

  private static Architecture build(
      Init init, Dimensions data, int type, double width, boolean deploy) {
    Chain net = new Chain();
    int in = data.channels();
    for (int s = 0; s < BLOCKS.length; s++) {
      int out = channels(type, width, s);
      List<Block> blocks = new ArrayList<>();
      for (int b = 0; b < BLOCKS[s]; b++) {
        blocks.add(new Block(init, in, out, b == 0 && s > 1 ? 2 : 1, deploy));
        in = out;
      }
      net.then("stage" + s, s == 0 ? blocks.getFirst() : new Sequential(blocks));
    }
    return net.then(GAP, new AveragePool())
        .flatten()
        .then("linear", new Linear(init, in, data.classes()))
        .penultimate(GAP);
  }

  private static int channels(int type, double width, int stage) {
    double factor = width * FACTORS[type][stage == 4 ? 1 : 0];
    return stage == 0 ? (int) Math.min(64, 64 * factor) : (int) ((32 << stage) * factor);
  }

  /** The factor of the last stage and that of the one before tell the type. */
  private static List<Family.Guess> guesses(Shapes shapes) {
    boolean deployed = shapes.has("stage0.rbr_reparam.weight");
    int last = shapes.size("linear.weight", 1);
    int before = shapes.size("stage4.0." + (deployed ? "rbr_reparam.weight" : DENSE), 1);
    List<Family.Guess> guesses = new ArrayList<>();
    for (int type = 0; type < FACTORS.length; type++) {
      double width = last / (512 * FACTORS[type][1]);
      if (before == channels(type, width, 3)) {
        guesses.add(
            Family.Guess.of("repvgg-a%d", type)
                .option("width", width, 1.0)
                .option("deploy", deployed, false));
      }
    }
    return guesses;
  }

  /**
   * The tensors of the deployed form that computes in evaluation what these compute (section 3.3 of
   * the paper): every normalisation is put into the convolution before it, the input counts as the
   * 1×1 convolution by the unit matrix, a 1×1 convolution as a 3×3 one with zeros around, and the
   * branches are added. Computed in double precision.
   *
   * @param training the state_dict of the training form, from {@code stage0} on
   * @throws UsageException if it is not one
   */
  public static Map<String, Tensor> deploy(Map<String, Tensor> training) {
    get(training, "stage0." + DENSE);
    Map<String, Tensor> deployed = new LinkedHashMap<>();
    for (String key : training.keySet()) {
      if (key.endsWith(DENSE)) {
        String block = key.substring(0, key.length() - DENSE.length());
        Fused all = fuse(training, block);
        Tensor like = training.get(key);
        deployed.put(block + "rbr_reparam.weight", all.weight.to(like.dtype()));
        deployed.put(block + "rbr_reparam.bias", all.bias.to(like.dtype()));
      } else if (key.startsWith("linear.")) {
        deployed.put(key, training.get(key).detach());
      }
    }
    return deployed;
  }

  /** Whether these are the tensors of a RepVGG whose branches are still apart. */
  public static boolean isTraining(Map<String, long[]> shapes) {
    return shapes.containsKey("stage0." + DENSE);
  }

  /** A convolution of doubles with bias. */
  private record Fused(Tensor weight, Tensor bias) {
    Fused add(Fused other) {
      return new Fused(weight.add(other.weight), bias.add(other.bias));
    }
  }

  private static Fused fuse(Map<String, Tensor> state, String block) {
    Tensor point = get(state, block + "rbr_1x1.conv.weight");
    Fused sum = normalised(point, state, block + "rbr_1x1.bn.");
    if (state.containsKey(block + "rbr_identity.weight")) {
      long n = point.size(0);
      Tensor unit = Tensor.arange(n, point.device()).oneHot(n).to(DType.FLOAT64);
      sum = sum.add(normalised(unit.view(n, n, 1, 1), state, block + "rbr_identity."));
    }
    Fused padded = new Fused(sum.weight.pad(1, 1, 1, 1), sum.bias);
    return padded.add(normalised(get(state, block + DENSE), state, block + "rbr_dense.bn."));
  }

  /** A convolution and the normalisation after it. */
  private static Fused normalised(Tensor weight, Map<String, Tensor> state, String bn) {
    Tensor deviation = get(state, bn + "running_var").add(BatchNorm2d.EPS).sqrt();
    Tensor factor = get(state, bn + "weight").div(deviation);
    Tensor bias = get(state, bn + "bias").sub(get(state, bn + "running_mean").mul(factor));
    return new Fused(weight.mul(factor.view(-1, 1, 1, 1)), bias);
  }

  private static Tensor get(Map<String, Tensor> state, String key) {
    Tensor t = state.get(key);
    if (t == null) {
      throw new UsageException(
          "the tensors are of no RepVGG in training form: %s is missing".formatted(key));
    }
    return t.detach().to(DType.FLOAT64);
  }

  /** The branches of a place, added; deployed, one convolution. */
  private static final class Block extends Module {
    private final Module identity;
    private final Module dense;
    private final Module point;

    Block(Init init, int in, int out, int stride, boolean deploy) {
      if (deploy) {
        Tensor weight = init.convolution(out, in, 3);
        Tensor bias = init.convolutionBias(out, in, 3);
        identity = null;
        dense = child("rbr_reparam", new Conv2d(weight, bias, stride, 1, 1));
        point = null;
      } else {
        identity =
            in == out && stride == 1 ? child("rbr_identity", new BatchNorm2d(init, in)) : null;
        dense = child("rbr_dense", branch(init, in, out, 3, stride));
        point = child("rbr_1x1", branch(init, in, out, 1, stride));
      }
    }

    private static Module branch(Init init, int in, int out, int kernel, int stride) {
      return new Sequential()
          .add("conv", new Conv2d(init, in, out, kernel, stride))
          .add("bn", new BatchNorm2d(init, out));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = dense.apply(x);
      if (point != null) {
        y.add_(point.apply(x));
      }
      if (identity != null) {
        y.add_(identity.apply(x));
      }
      return y.relu_();
    }
  }
}
