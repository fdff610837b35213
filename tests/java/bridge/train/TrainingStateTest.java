package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.ScopedTest;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TrainingStateTest extends ScopedTest {
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private TrainingState state;

  @BeforeEach
  void fill() {
    tensors.put("count", Tensor.of(new long[] {7}, 1));
    tensors.put("a", Tensor.full(1, DType.FLOAT32, Device.CPU, 5, 3).requiresGrad_(true));
    tensors.put("b", Tensor.full(2, DType.FLOAT64, Device.CPU, 4));
    tensors.put("c", Tensor.full(3, DType.FLOAT32, Device.CPU, 2));
    state = new TrainingState().with("x", tensors);
  }

  @Test
  void whatIsFiniteIsFoundFiniteThoughItsSumOverflows() {
    assertEquals(Optional.empty(), state.notFinite());
    tensors.get("c").zero_().add_(3e38);
    assertEquals(Double.POSITIVE_INFINITY, tensors.get("c").sum().item());
    assertEquals(Optional.empty(), state.notFinite());
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void theFirstTensorThatIsNotFiniteIsNamed(double value) {
    tensors.get("c").narrow(0, 1, 1).zero_().add_(value);
    assertEquals(Optional.of("x/c"), state.notFinite());
    tensors.get("b").narrow(0, 2, 1).zero_().add_(value);
    assertEquals(Optional.of("x/b"), state.notFinite());
  }

  @Test
  void infinitiesThatCancelAreFound() {
    tensors.get("c").narrow(0, 0, 1).add_(Double.POSITIVE_INFINITY);
    tensors.get("c").narrow(0, 1, 1).add_(Double.NEGATIVE_INFINITY);
    assertEquals(Optional.of("x/c"), state.notFinite());
  }
}
