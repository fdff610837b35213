package bridge.architecture;

import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.List;

/**
 * The small network of TRADES for MNIST (after Carlini and Wagner 2017): four 3×3 convolutions
 * without padding, two max-poolings, three linear layers. Its first linear layer is as wide as the
 * images' size makes it; TRADES has 28 pixels and one channel.
 *
 * <p>The last layer starts at 0, so the first training step moves that layer alone.
 */
final class SmallCnn {
  static final Family TRADES =
      new Family(
          "smallcnn",
          List.of("smallcnn"),
          (init, data, _, _) -> build(init.with(Init.Convolutions.NORMAL_FAN_IN), data),
          shapes -> {
            int side = (int) Math.sqrt(shapes.size("classifier.fc1.weight", 1) / 64.0);
            return List.of(new Family.Guess("smallcnn", 4 * side + 12));
          });

  private static final int HIDDEN = 200;

  private SmallCnn() {}

  private static Architecture build(Init init, Dimensions data) {
    int side = ((data.imageSize() - 4) / 2 - 4) / 2;
    if (side < 1) {
      throw new UsageException(
          "smallcnn needs images of 16 pixels or more, found " + data.imageSize());
    }
    Sequential features =
        new Sequential()
            .add("conv1", convolution(init, data.channels(), 32))
            .add("relu1", new Operation(Tensor::relu_))
            .add("conv2", convolution(init, 32, 32))
            .add("relu2", new Operation(Tensor::relu_))
            .add("maxpool1", new Operation(x -> x.maxPool2d(2, 2, 0)))
            .add("conv3", convolution(init, 32, 64))
            .add("relu3", new Operation(Tensor::relu_))
            .add("conv4", convolution(init, 64, 64))
            .add("relu4", new Operation(Tensor::relu_))
            .add("maxpool2", new Operation(x -> x.maxPool2d(2, 2, 0)));
    Sequential classifier =
        new Sequential()
            .add("fc1", new Linear(init, 64 * side * side, HIDDEN))
            .add("relu1", new Operation(Tensor::relu_))
            .add("drop", new Dropout(0.5))
            .add("fc2", new Linear(init, HIDDEN, HIDDEN))
            .add("relu2", new Operation(Tensor::relu_))
            .add(
                "fc3",
                new Linear(
                    init.constant(0, data.classes(), HIDDEN), init.constant(0, data.classes())));
    return new Chain()
        .then("feature_extractor", features)
        .flatten()
        .then("classifier", classifier)
        .penultimate("classifier.relu2");
  }

  private static Conv2d convolution(Init init, int in, int out) {
    return new Conv2d(init.convolution(out, in, 3), init.constant(0, out), 1, 0, 1);
  }
}
