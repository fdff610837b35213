package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.ScopedTest;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class ScriptFunctionTest extends ScopedTest {

  @Test
  void oneTensorOrSeveralOrNoneComeBack() {
    Tensor x = Tensor.of(new float[] {1, -2}, 2);
    ScriptFunction one =
        ScriptFunction.compile(
            "f", "def f(x: Tensor, a: float, n: int) -> Tensor:\n  return x * a + n\n");
    assertArrayEquals(new float[] {3.5f, -4}, one.apply(List.of(x, 2.5, 1L)).toFloats());
    ScriptFunction two =
        ScriptFunction.compile("g", "def g(x: Tensor) -> List[Tensor]:\n  return [x + 1, x * 2]\n");
    List<Tensor> both = two.call(List.of(x));
    assertArrayEquals(new float[] {2, -1}, both.get(0).toFloats());
    assertArrayEquals(new float[] {2, -4}, both.get(1).toFloats());
    ScriptFunction none = ScriptFunction.compile("h", "def h(x: Tensor):\n  x.mul_(3)\n");
    assertEquals(List.of(), none.call(List.of(x)));
    assertArrayEquals(new float[] {3, -6}, x.toFloats());
  }

  @Test
  void operatorsThePresetsDoNotBindAreThere() {
    Tensor p = Tensor.of(new float[] {1, 2}, 2);
    ScriptFunction sgd =
        ScriptFunction.compile(
            "step",
            """
            def step(p: List[Tensor], g: List[Tensor], v: List[Tensor], rate: float):
              torch._fused_sgd_(p, g, v, weight_decay=0.0, momentum=0.5, lr=rate,
                                dampening=0.0, nesterov=False, maximize=False, is_first_step=False)
            """);
    List<Tensor> gradients = List.of(p.zerosLike().add(1));
    List<Tensor> velocities = List.of(p.zerosLike().add(4));
    sgd.call(List.of(List.of(p), gradients, velocities, 0.5));
    assertArrayEquals(new float[] {-0.5f, 0.5f}, p.toFloats());
  }

  @Test
  void threadsCallOneAtTheSameTimeAndNothingLeaks() {
    ScriptFunction f = ScriptFunction.compile("f", "def f(x: Tensor) -> Tensor:\n  return x @ x\n");
    float[] expected;
    try (Scope _ = Scope.open("plain")) {
      expected = f.apply(List.of(Tensor.full(0.5, DType.FLOAT32, Device.CPU, 40, 40))).toFloats();
    }
    long before = Scope.alive();
    IntStream.range(0, 64)
        .parallel()
        .forEach(
            _ -> {
              try (Scope _ = Scope.open("thread")) {
                Tensor x = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 40, 40);
                assertArrayEquals(expected, f.apply(List.of(x)).toFloats());
              }
            });
    assertEquals(before, Scope.alive());
  }

  @Test
  void whatIsRefusedIsOneLine() {
    NativeException text =
        assertThrows(NativeException.class, () -> ScriptFunction.compile("f", "def f(:\n"));
    assertEquals(1, text.getMessage().lines().count());
    ScriptFunction f =
        ScriptFunction.compile("f", "def f(x: Tensor, y: Tensor) -> Tensor:\n  return x @ y\n");
    Tensor x = Tensor.full(1, DType.FLOAT32, Device.CPU, 2, 3);
    NativeException shapes = assertThrows(NativeException.class, () -> f.apply(List.of(x, x)));
    assertEquals(1, shapes.getMessage().lines().count());
  }
}
