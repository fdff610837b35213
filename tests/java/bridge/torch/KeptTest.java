package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.ScopedTest;
import org.junit.jupiter.api.Test;

/** Tensors that outlive their scopes, until they are let go. */
class KeptTest extends ScopedTest {
  @Test
  void outlivesItsScopeAndIsFreedWhenLetGo() {
    long before = Scope.alive();
    Kept kept = new Kept();
    Tensor tensor;
    try (Scope _ = Scope.open("inner")) {
      tensor = kept.keep(Tensor.of(new float[] {1, 2}, 2));
    }
    assertArrayEquals(new float[] {1, 2}, tensor.toFloats());
    assertEquals(before + 1, Scope.alive());
    kept.close();
    kept.close();
    assertEquals(before, Scope.alive());
  }

  @Test
  void letGoInsideItsScopeItStaysAsLongAsThat() {
    Kept kept = new Kept();
    Tensor tensor = kept.keep(Tensor.of(new float[] {3}, 1));
    kept.close();
    assertEquals(3, tensor.item());
  }
}
