package bridge.architecture;

import bridge.ScopedTest;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Seeds;
import bridge.torch.Tensor;

/** Architectures of small size, and images for them. */
abstract class SmallArchitecturesTest extends ScopedTest {
  static final int BATCH = 2;
  static final int CLASSES = 7;

  static Architecture build(String text, Dimensions data, Init init) {
    String[] parts = text.split(":", 2);
    String options = parts.length == 1 ? null : parts[1];
    return Architectures.build(parts[0], Architectures.options(text, options), data, init);
  }

  static Architecture drawn(String text, int channels, int size) {
    Init init = Init.of(new Seeds(3), Device.CPU);
    return build(text, new Dimensions(channels, CLASSES, size), init);
  }

  static Tensor images(int channels, int size) {
    Generator generator = Generator.on(Device.CPU, 5);
    return Tensor.uniform(0, 1, generator, Device.CPU, BATCH, channels, size, size);
  }

  static float[] logits(String text, int channels, int size) {
    Architecture network = drawn(text, channels, size);
    network.train(false);
    try (NoGrad _ = NoGrad.enter()) {
      return network.apply(images(channels, size)).toFloats();
    }
  }
}
