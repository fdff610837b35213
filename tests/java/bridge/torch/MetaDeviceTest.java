package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** On the meta device operations have the shapes, types and gradients that they have elsewhere. */
final class MetaDeviceTest extends ScopedTest {

  /** An operation on float [4, 3, 8, 8], with what else it takes made on the same device. */
  private interface Operation extends BiFunction<Tensor, Device, Tensor> {}

  private static Tensor floats(Device device, long... shape) {
    return Tensor.full(0.5, DType.FLOAT32, device, shape);
  }

  private static Tensor zeros(Device device, long... shape) {
    return Tensor.zeros(DType.INT64, device, shape);
  }

  private static final Map<String, Operation> OPERATIONS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("abs", (x, _) -> x.abs()),
              Map.entry("clamp", (x, _) -> x.clamp(0, 1)),
              Map.entry("clamp_", (x, _) -> x.mul(1).clamp_(0, 1)),
              Map.entry("clamp between", (x, _) -> x.clamp(x.sub(1), x.add(1))),
              Map.entry("clampMin", (x, _) -> x.clampMin(0)),
              Map.entry("clampMin_", (x, _) -> x.mul(1).clampMin_(0)),
              Map.entry("minimum", (x, d) -> x.minimum(floats(d, 4, 1, 1, 1))),
              Map.entry("maximum", (x, d) -> floats(d, 3, 8, 8).maximum(x)),
              Map.entry("not", (x, _) -> x.gt(0).logicalNot()),
              Map.entry("and", (x, d) -> x.gt(0).logicalAnd(floats(d, 8).gt(0))),
              Map.entry("or", (x, d) -> floats(d, 8).gt(0).logicalOr(x.gt(0))),
              Map.entry("isFinite", (x, _) -> x.isFinite()),
              Map.entry("where", (x, d) -> floats(d, 4, 1, 1, 1).gt(0).where(x, floats(d, 8))),
              Map.entry("max", (x, _) -> x.max()),
              Map.entry("min", (x, _) -> x.min()),
              Map.entry("variance", (x, _) -> x.varianceKeep(1, -1)),
              Map.entry("indexSelect", (x, d) -> x.indexSelect(0, zeros(d, 2))),
              Map.entry("conv2d", (x, d) -> x.conv2d(floats(d, 5, 3, 3, 3), null, 2, 1, 1)),
              Map.entry(
                  "conv2d in groups",
                  (x, d) -> x.conv2d(floats(d, 6, 1, 3, 3), floats(d, 6), 1, 0, 3)),
              Map.entry(
                  "convTranspose2d",
                  (x, d) -> x.convTranspose2d(floats(d, 3, 5, 4, 4), floats(d, 5), 2, 1)),
              Map.entry(
                  "batchNorm",
                  (x, d) ->
                      x.batchNorm(
                          floats(d, 3), floats(d, 3), floats(d, 3), floats(d, 3), true, 0.1, 1)),
              Map.entry("relu", (x, _) -> x.relu()),
              Map.entry("relu_", (x, _) -> x.mul(1).relu_()),
              Map.entry("relu6_", (x, _) -> x.mul(1).relu6_()),
              Map.entry("layerNorm", (x, d) -> x.layerNorm(floats(d, 8), floats(d, 8), 1)),
              Map.entry("adaptiveAvgPool2d", (x, _) -> x.adaptiveAvgPool2d(2, 3)),
              Map.entry("gather", (x, d) -> x.flatten(1).gather(1, zeros(d, 4, 2))),
              Map.entry(
                  "indexCopy",
                  (x, d) -> x.mul(1).indexCopy_(0, zeros(d, 1), floats(d, 1, 3, 8, 8)))));

  private static Stream<String> operations() {
    return OPERATIONS.keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("operations")
  void theShapesAreThoseOfTheProcessor(String name) {
    Tensor x = floats(Device.CPU, 4, 3, 8, 8).requiresGrad_(true);
    Tensor expected = OPERATIONS.get(name).apply(x, Device.CPU);
    Tensor m = floats(Device.META, 4, 3, 8, 8).requiresGrad_(true);
    Tensor found = OPERATIONS.get(name).apply(m, Device.META);
    assertEquals(Device.META, found.device());
    assertArrayEquals(expected.sizes(), found.sizes());
    assertEquals(expected.dtype(), found.dtype());
    assertEquals(expected.requiresGrad(), found.requiresGrad());
    if (expected.requiresGrad()) {
      assertArrayEquals(m.sizes(), found.sum().gradient(m).sizes());
    }
  }

  @Test
  void whatWasLeftOnTheProcessorIsRefused() {
    Tensor m = floats(Device.META, 4, 3);
    List<BiFunction<Tensor, Tensor, Tensor>> operations =
        List.of(
            Tensor::add,
            Tensor::minimum,
            (a, b) -> a.gt(0).where(a, b),
            (a, b) -> b.gt(0).where(a, a),
            (a, b) -> a.gather(1, b.to(DType.INT64)),
            (a, b) -> a.scatter(1, b.to(DType.INT64), 1),
            (a, b) -> a.indexSelect(0, b.to(DType.INT64).flatten(0)),
            (a, b) -> a.indexCopy_(0, b.to(DType.INT64).select(1, 0), a),
            Tensor::copy_,
            (a, b) -> a.matmul(b.transpose(0, 1)),
            (a, b) -> Tensor.cat(List.of(a, b), 0),
            (a, b) -> Tensor.stack(List.of(a, b), 0),
            (a, b) -> a.linear(b, null));
    for (int i = 0; i < operations.size(); i++) {
      var operation = operations.get(i);
      assertThrows(
          NativeException.class,
          () -> operation.apply(m, floats(Device.CPU, 4, 3)),
          "operation " + i);
    }
  }

  @Test
  void nothingCanBeReadThere() {
    Tensor m = floats(Device.META, 2);
    assertThrows(NativeException.class, () -> m.sum().item());
    assertThrows(NativeException.class, m::nonzero);
    assertThrows(NativeException.class, m::toFloats);
    assertThrows(NativeException.class, () -> m.to(Device.CPU));
  }

  @Test
  void aDryRunHandsNothingOverAndEndsWithItsScope() {
    Tensor host = floats(Device.CPU, 2);
    assertEquals(Device.META, host.to(Device.META).device());
    try (DryRun _ = DryRun.begin()) {
      NativeException e = assertThrows(NativeException.class, () -> host.to(Device.META));
      assertTrue(e.getMessage().endsWith("found a copy from cpu to meta"), e.getMessage());
    }
    assertEquals(Device.META, host.to(Device.META).device());
  }
}
