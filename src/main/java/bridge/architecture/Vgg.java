package bridge.architecture;

import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * VGG-11, 13, 16 and 19 with batch normalisation (Simonyan, Zisserman 2015) for small images: five
 * stages of 3×3 convolutions, each followed by a pooling that halves the map, which must leave one
 * pixel; so images have 32 to 63.
 *
 * <p>{@code vggN-bn} is chenyaofo's ({@code vgg.py}): three linear layers with dropout 0.5, weights
 * started as there. {@code vggN-kuangliu} has one linear layer, which is for 10 classes in the
 * public code; it averages the last map, so larger images will do, whereas the public code takes 32
 * pixels only.
 */
final class Vgg {
  static final Family CHENYAOFO =
      family("-bn", "classifier.6.weight", Init.Convolutions.NORMAL_FAN_OUT);
  static final Family KUANGLIU =
      family("-kuangliu", "classifier.weight", Init.Convolutions.UNIFORM_FAN_IN);

  private Vgg() {}

  private static Family family(String suffix, String head, Init.Convolutions start) {
    return new Family(
        "vgg(11|13|16|19)" + suffix,
        Stream.of(11, 13, 16, 19).map(depth -> "vgg" + depth + suffix).toList(),
        (init, data, numbers, options) ->
            build(
                init.with(start),
                data,
                "vgg" + numbers[0] + suffix,
                convolutions(numbers[0]),
                options.number("width", 1, 1.0 / 64, 16)),
        shapes ->
            List.of(
                Family.Guess.of("vgg%d%s", depth(shapes), suffix)
                    .option("width", shapes.size(head, 1) / 512.0, 1.0)));
  }

  /** Convolutions of each stage. */
  private static int[] convolutions(int depth) {
    return switch (depth) {
      case 11 -> new int[] {1, 1, 2, 2, 2};
      case 13 -> new int[] {2, 2, 2, 2, 2};
      case 16 -> new int[] {2, 2, 3, 3, 3};
      default -> new int[] {2, 2, 4, 4, 4};
    };
  }

  /** The convolutions and, as the name counts them, three linear layers. */
  private static long depth(Shapes shapes) {
    return 3 + shapes.all().values().stream().filter(s -> s.length == 4).count();
  }

  private static Architecture build(
      Init init, Dimensions data, String name, int[] convolutions, double width) {
    boolean deep = name.endsWith("-bn");
    int halved = data.imageSize() >> convolutions.length;
    if (halved < 1 || deep && halved > 1) {
      throw new UsageException(
          "%s takes images of 32%s pixels, found %d; take another network"
              .formatted(name, deep ? " to 63" : " or more", data.imageSize()));
    }
    List<Module> features = new ArrayList<>();
    int in = data.channels();
    for (int s = 0; s < convolutions.length; s++) {
      int out = (int) (Math.min(64 << s, 512) * width);
      for (int c = 0; c < convolutions[s]; c++) {
        Tensor weight = init.convolution(out, in, 3);
        features.add(new Conv2d(weight, init.convolutionBias(out, in, 3), 1, 1, 1));
        features.add(new BatchNorm2d(init, out));
        features.add(new Operation(Tensor::relu_));
        in = out;
      }
      features.add(new Operation(x -> x.maxPool2d(2, 2, 0)));
    }
    if (!deep) {
      features.add(new AveragePool());
    }
    return new Chain()
        .then("features", new Sequential(features))
        .flatten()
        .then(
            "classifier",
            deep ? classifier(init, in, data.classes()) : new Linear(init, in, data.classes()))
        .penultimate(deep ? "classifier.5" : "features");
  }

  private static Sequential classifier(Init init, int in, int classes) {
    return new Sequential(
        List.of(
            Linear.normal(init, in, in),
            new Operation(Tensor::relu_),
            new Dropout(0.5),
            Linear.normal(init, in, in),
            new Operation(Tensor::relu_),
            new Dropout(0.5),
            Linear.normal(init, in, classes)));
  }
}
