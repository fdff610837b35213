package bridge.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Memory;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Tensors of every kind that a file must carry, and their comparison. */
final class SampleTensors {
  private SampleTensors() {}

  /** Every element type, no dimension, no element, odd strides, odd names; in this order. */
  static Map<String, Tensor> everyKind() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Tensor numbers = Tensor.arange(6, Device.CPU).sub(2);
    for (DType type : DType.values()) {
      tensors.put("type." + type.name().toLowerCase(Locale.ROOT), numbers.to(type).view(2, 3));
    }
    tensors.put("scalar", Tensor.of(new float[] {2.5f}));
    tensors.put("scalar.long", Tensor.full(-7, DType.INT64, Device.CPU));
    tensors.put("empty", Tensor.zeros(DType.FLOAT32, Device.CPU, 0, 4));
    tensors.put("transposed", numbers.to(DType.FLOAT32).view(2, 3).transpose(0, 1));
    tensors.put("expanded", Tensor.of(new float[] {1, 2}, 2, 1).expand(2, 4));
    tensors.put("part", Tensor.arange(20, Device.CPU).view(4, 5).narrow(1, 1, 3));
    tensors.put(
        "channels_last",
        Tensor.arange(120, Device.CPU).to(DType.FLOAT32).view(2, 3, 4, 5).channelsLast());
    tensors.put("parameter", Tensor.of(new float[] {1, -1}, 2).requiresGrad_(true));
    tensors.put(
        "special",
        Tensor.of(new float[] {Float.NaN, Float.POSITIVE_INFINITY, -0f, Float.MIN_VALUE}, 4));
    tensors.put("name/with \"all\" kinds\\of ключ", Tensor.of(new long[] {Long.MIN_VALUE}, 1));
    return tensors;
  }

  /** Same names in the same order; same types, shapes and bits. */
  static void assertSame(Map<String, Tensor> expected, Map<String, Tensor> actual) {
    assertEquals(List.copyOf(expected.keySet()), List.copyOf(actual.keySet()), "names");
    expected.forEach(
        (name, tensor) -> {
          Tensor other = actual.get(name);
          assertEquals(tensor.dtype(), other.dtype(), name);
          assertArrayEquals(tensor.sizes(), other.sizes(), name);
          assertArrayEquals(bytes(tensor), bytes(other), name);
        });
  }

  private static byte[] bytes(Tensor tensor) {
    Tensor plain = TensorFile.plain(tensor);
    try (Memory memory = plain.memory()) {
      return memory.bytes(0, (int) memory.size());
    }
  }
}
