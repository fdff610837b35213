package bridge.method.parts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import bridge.ScopedTest;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

final class LossTest extends ScopedTest {
  private final List<String> asked = new ArrayList<>();

  private Supplier<Tensor> value(String name, double value) {
    return () -> {
      asked.add(name);
      return Tensor.full(value, DType.FLOAT32, Device.CPU).requiresGrad_(true).mul(1);
    };
  }

  @Test
  void aTermOfWeightNothingIsNamedAndNotAskedFor() {
    Loss loss =
        new Loss()
            .plus("a", 0, value("a", 5))
            .plus("b", 2, value("b", 3))
            .plus("c", 0, value("c", 7))
            .plus("d", 1, value("d", 0.5));
    assertEquals(List.of("b", "d"), asked);
    assertEquals(List.of("a", "b", "c", "d"), List.copyOf(loss.terms().keySet()));
    List<Double> values = loss.terms().values().stream().map(Tensor::item).toList();
    assertEquals(List.of(0.0, 6.0, 0.0, 0.5), values);
    assertEquals(6.5, loss.total().item(), 0);
  }

  @Test
  void whereAllWeightsAreNothingThereIsStillALossToDescend() {
    Tensor parameter = Tensor.of(new float[] {4}, 1).requiresGrad_(true);
    Loss loss = new Loss().plus("a", 0, () -> parameter.mul(3).sum()).plus("b", 0, value("b", 1));
    assertEquals(List.of("a", "b"), List.copyOf(loss.terms().keySet()));
    loss.terms().values().forEach(t -> assertEquals(0, t.item(), 0));
    loss.total().backward();
    assertNotNull(parameter.grad());
    assertEquals(List.of(), asked);
  }
}
