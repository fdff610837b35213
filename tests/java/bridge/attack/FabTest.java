package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** FAB: the nearest wrong image of a linear network. */
class FabTest extends ShortAttacksTest {
  @ParameterizedTest
  @CsvSource({"LINF, true", "LINF, false", "L2, true", "L2, false", "L1, true", "L1, false"})
  void theNearestWrongImageOfALinearNetworkIsFound(Norm norm, boolean targeted) {
    Tensor weight = Tensor.randn(Samples.noise(16), Device.CPU, 16);
    double length =
        switch (norm) {
          case LINF -> weight.abs().sum().item();
          case L2 -> weight.norm2Keep(0).item();
          case L1 -> weight.abs().max().item();
        };
    // at the grey image the other class is 0.2 lengths ahead
    Network network = linear(weight, -0.5 * weight.sum().item() + 0.2 * length);
    Tensor images = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 2, 1, 4, 4);
    Tensor labels = Tensor.of(new long[] {1, 1}, 2);
    Tensor targets = targeted ? labels.zerosLike() : null;
    Fab attack = new Fab("fab", new Ball(norm, 0.1), targeted, 60, 1);
    Fab.Nearest nearest = attack.search(network, images, labels, targets, images);
    assertArrayEquals(new float[] {0.2f, 0.2f}, nearest.distance().toFloats(), 2e-3f);
    assertTrue(nearest.distance().min().item() >= 0.2 - 1e-6);

    assertArrayEquals( // 0.2 away is not within 0.1
        images.toFloats(),
        attack.perturb(network, images, labels, Samples.noise(17)).images().toFloats());
    Fab wider = new Fab("fab", new Ball(norm, 0.21), targeted, 60, 1);
    assertEquals(
        0,
        right(network, wider.perturb(network, images, labels, Samples.noise(17)).images(), labels));
  }
}
