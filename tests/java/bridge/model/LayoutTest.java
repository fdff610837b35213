package bridge.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.ScopedTest;
import bridge.torch.ComputePrecision;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where convolutions are laid out channels last. */
final class LayoutTest extends ScopedTest {

  /** Says that it is elsewhere, as far as the layout goes. */
  private static Network on(Device device, String model) {
    Network network =
        Models.build(
            ModelSpec.parse(model), 3, 10, 16, Normalisation.NONE, new Seeds(1), Device.CPU);
    network.freeze();
    return new NetworkDecorator(network) {
      @Override
      public Device device() {
        return device;
      }
    };
  }

  @ParameterizedTest
  @CsvSource({
    "-1, resnet8:width=8, FLOAT32, true",
    "-1, resnet8:width=8, BFLOAT16, true",
    "-1, smallcnn, FLOAT32, true",
    "0, resnet8:width=8, FLOAT32, false",
    "0, resnet8:width=8, TF32, true",
    "0, resnet8:width=8, BFLOAT16, true",
    "1, smallcnn, BFLOAT16, true"
  })
  void itIsWhatTheDevicesConvolutionsLike(
      int index, String model, ComputePrecision precision, boolean last) {
    Network network = on(new Device(index), model);
    Tensor images = Tensor.uniform(0, 1, Generator.on(Device.CPU, 2), Device.CPU, 2, 3, 16, 16);
    try (NoGrad _ = NoGrad.enter()) {
      float[] before = network.logits(images).toFloats();
      network.channelsLast(precision);
      assertArrayEquals(before, network.logits(images).toFloats(), 1e-5f);
    }
    long laid =
        network.parameters().values().stream()
            .filter(p -> p.dim() == 4 && p.size(1) > 1 && p.size(2) > 1)
            .filter(p -> !p.isContiguous())
            .count();
    assertEquals(last, laid > 0);
  }
}
