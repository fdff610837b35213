package bridge.architecture;

import bridge.torch.Tensor;
import java.util.List;

/**
 * DenseNet (Huang et al. 2017) for small images, in the {@code kuangliu} form: a 3×3 stem of twice
 * the {@code growth}, four dense stages with transitions between them that halve channels and map,
 * normalisation, activation, average pooling, one linear layer.
 */
final class DenseNet {
  /** DenseNet-121 to 201 with growth 32 (48 for 161). */
  static final Family KUANGLIU =
      new Family(
          "densenet(121|161|169|201)",
          List.of("densenet121", "densenet161", "densenet169", "densenet201"),
          (init, data, numbers, options) ->
              build(init, data, numbers[0], options.integer("growth", growth(numbers[0]), 1, 512)),
          DenseNet::guesses);

  /** DenseNet-121 with growth 12. */
  static final Family CIFAR =
      new Family(
          "densenet-cifar",
          List.of("densenet-cifar"),
          (init, data, _, options) -> build(init, data, 121, options.integer("growth", 12, 1, 512)),
          _ -> List.of());

  private DenseNet() {}

  private static int growth(int depth) {
    return depth == 161 ? 48 : 32;
  }

  private static int[] layers(int depth) {
    return switch (depth) {
      case 121 -> new int[] {6, 12, 24, 16};
      case 161 -> new int[] {6, 12, 36, 24};
      case 169 -> new int[] {6, 12, 32, 32};
      default -> new int[] {6, 12, 48, 32};
    };
  }

  private static Architecture build(Init init, Dimensions data, int depth, int growth) {
    int channels = 2 * growth;
    Chain net = new Chain().then("conv1", new Conv2d(init, data.channels(), channels, 3, 1));
    int[] layers = layers(depth);
    for (int s = 0; s < layers.length; s++) {
      if (s > 0) {
        net.then("trans" + s, transition(init, channels, channels / 2));
        channels /= 2;
      }
      Sequential stage = new Sequential();
      for (int i = 0; i < layers[s]; i++) {
        stage.add(Integer.toString(i), new Layer(init, channels, growth));
        channels += growth;
      }
      net.then("dense" + (s + 1), stage);
    }
    return net.then("bn", new BatchNorm2d(init, channels))
        .then("relu", new Operation(Tensor::relu_))
        .end("linear", new Linear(init, channels, data.classes()));
  }

  private static Sequential transition(Init init, int in, int out) {
    return new Sequential()
        .add("bn", new BatchNorm2d(init, in))
        .add("relu", new Operation(Tensor::relu_))
        .add("conv", new Conv2d(init, in, out, 1, 1))
        .add("pool", new Operation(x -> x.avgPool2d(2, 2)));
  }

  private static List<Family.Guess> guesses(Shapes shapes) {
    int depth =
        switch (shapes.count("dense3.%d.conv1.weight")) {
          case 24 -> 121;
          case 36 -> 161;
          case 32 -> 169;
          default -> 201;
        };
    int growth = shapes.out("dense1.0.conv2.weight");
    return List.of(
        depth == 121 && growth == 12
            ? Family.Guess.of("densenet-cifar")
            : Family.Guess.of("densenet%d", depth).option("growth", growth, growth(depth)));
  }

  /** A bottleneck of 1×1 and 3×3 whose {@code growth} channels come before the input's. */
  private static final class Layer extends Module {
    private final BatchNorm2d bn1;
    private final Conv2d conv1;
    private final BatchNorm2d bn2;
    private final Conv2d conv2;

    Layer(Init init, int in, int growth) {
      bn1 = child("bn1", new BatchNorm2d(init, in));
      conv1 = child("conv1", new Conv2d(init, in, 4 * growth, 1, 1));
      bn2 = child("bn2", new BatchNorm2d(init, 4 * growth));
      conv2 = child("conv2", new Conv2d(init, 4 * growth, growth, 3, 1));
    }

    @Override
    protected Tensor forward(Tensor x) {
      Tensor y = conv1.apply(bn1.apply(x).relu_());
      y = conv2.apply(bn2.apply(y).relu_());
      return Tensor.cat(List.of(y, x), 1);
    }
  }
}
