package bridge.architecture;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * MobileNetV2 (Sandler et al. 2018) in torchvision's form, as chenyaofo's pytorch-cifar-models have
 * it ({@code mobilenetv2.py}): ReLU6, and the input added only where neither stride nor channels
 * change it. Stem and 24-channel stage have stride 1; the classifier has dropout 0.2. Weights start
 * as there.
 */
final class MobileNetV2Chenyaofo {
  private static final String NAME = "mobilenetv2-chenyaofo";

  static final Family FAMILY =
      new Family(
          NAME,
          List.of(NAME),
          (init, data, _, options) ->
              build(
                  init.with(Init.Convolutions.NORMAL_FAN_OUT), data, MobileNetV2.channels(options)),
          shapes ->
              MobileNetV2.guesses(
                  NAME,
                  shapes,
                  "features.0.0.weight",
                  i -> "features.%d.conv.%d.weight".formatted(i + 1, i == 0 ? 1 : 2),
                  "features.18.0.weight"));

  private MobileNetV2Chenyaofo() {}

  private static Architecture build(Init init, Dimensions data, int[] channels) {
    int in = channels[0];
    int last = channels[channels.length - 1];
    List<Module> features = new ArrayList<>();
    features.add(convolution(init, data.channels(), in, 3, 1, 1));
    for (int s = 0; s < MobileNetV2.STAGES.length; s++) {
      int[] stage = MobileNetV2.STAGES[s];
      for (int b = 0; b < stage[1]; b++) {
        features.add(new Block(init, in, channels[s + 1], stage[0], b == 0 ? stage[2] : 1));
        in = channels[s + 1];
      }
    }
    features.add(convolution(init, in, last, 1, 1, 1));
    Linear head = Linear.normal(init, last, data.classes());
    return new Chain()
        .then("features", new Sequential(features))
        .then(Architecture.POOL, new AveragePool())
        .flatten()
        .then("classifier", new Sequential(List.of(new Dropout(0.2), head)))
        .penultimate("classifier.0");
  }

  /** Convolution, normalisation, ReLU6. */
  private static Sequential convolution(
      Init init, int in, int out, int kernel, int stride, int groups) {
    return new Sequential(
        List.of(
            new Conv2d(init, in, out, kernel, stride, groups),
            new BatchNorm2d(init, out),
            new Operation(Tensor::relu6_)));
  }

  /** Widen by 1×1 (not where the expansion is 1), filter each channel by 3×3, narrow by 1×1. */
  private static final class Block extends Module {
    private final Sequential conv;
    private final boolean residual;

    Block(Init init, int in, int out, int expansion, int stride) {
      int expanded = in * expansion;
      List<Module> steps = new ArrayList<>();
      if (expansion != 1) {
        steps.add(convolution(init, in, expanded, 1, 1, 1));
      }
      steps.add(convolution(init, expanded, expanded, 3, stride, expanded));
      steps.add(new Conv2d(init, expanded, out, 1, 1));
      steps.add(new BatchNorm2d(init, out));
      conv = child("conv", new Sequential(steps));
      residual = stride == 1 && in == out;
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = conv.apply(x);
      return residual ? y.add_(x) : y;
    }
  }
}
