package bridge.attack;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.stream.IntStream;

/** Images and networks to attack, in the caller's scope. */
final class Samples {
  private Samples() {}

  /** A teacher of the program: a trained network, with normalisation inside. */
  static Network teacher() {
    return build("models/fmnist-resnet.pt", 28);
  }

  /** An untrained network with batch normalisation, in training mode. */
  static Network fresh(int size) {
    return build("resnet8:width=4", size);
  }

  private static Network build(String model, int size) {
    return Models.build(
        ModelSpec.parse(model), 1, 10, size, Normalisation.NONE, new Seeds(7), Device.CPU);
  }

  /** The first test images [N, 1, 28, 28] that the program carries, and their labels [N]. */
  record Labelled(Tensor images, Tensor labels) {}

  static Labelled images(int count) {
    try (ImageSet set = DataSpec.parse("fashion-mnist-mini").load(Split.TEST);
        Batches batches =
            Batches.over(set, IntStream.range(0, count).toArray()).batchSize(count).build();
        Batches.Epoch epoch = batches.epoch(1, 0)) {
      Batch batch = epoch.next();
      return new Labelled(batch.images().copy(), batch.labels().copy());
    }
  }

  /** Random images in [0, 1], about a fifth of the pixels at either end. */
  static Tensor random(long seed, long... shape) {
    Generator draws = Generator.on(Device.CPU, seed);
    return Tensor.uniform(-0.35, 1.35, draws, Device.CPU, shape).clamp_(0, 1);
  }

  static Generator noise(long seed) {
    return Generator.on(Device.CPU, seed);
  }
}
