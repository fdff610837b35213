package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Autocast, and what else says how libtorch computes. */
final class AutocastTest extends ScopedTest {
  private static final Device CPU = Device.CPU;

  @AfterEach
  void plainAgain() {
    Backend.PLAIN.use(CPU);
  }

  private static Tensor random(long seed, long... shape) {
    return Tensor.randn(Generator.on(CPU, seed), CPU, shape);
  }

  @Test
  void productsRoundAndSumsDoNot() {
    Tensor x = random(1, 8, 16);
    Tensor weight = random(2, 4, 16).requiresGrad_(true);
    Tensor exact = x.linear(weight, null);
    Tensor rounded;
    try (Autocast _ = Autocast.bfloat16(CPU)) {
      rounded = x.linear(weight, null);
      assertEquals(DType.FLOAT32, rounded.to(DType.FLOAT32).logSoftmax(1).dtype());
      try (Autocast _ = Autocast.bfloat16(CPU)) {
        assertEquals(DType.BFLOAT16, x.matmul(x.transpose(0, 1)).dtype());
      }
      assertEquals(DType.BFLOAT16, x.matmul(x.transpose(0, 1)).dtype(), "the inner one ended");
    }
    assertEquals(DType.BFLOAT16, rounded.dtype());
    assertEquals(DType.FLOAT32, x.linear(weight, null).dtype(), "nothing is left behind");
    double apart = rounded.to(DType.FLOAT32).sub(exact).abs().max().item();
    assertTrue(apart > 0 && apart < 0.1, () -> "apart by " + apart);
    rounded.to(DType.FLOAT32).sum().backward();
    assertEquals(DType.FLOAT32, weight.grad().dtype());
  }

  /** Rounded weights are kept while one is open; a change after it must be seen. */
  @Test
  void changedWeightsAreRoundedAnew() {
    Tensor x = random(1, 2, 16);
    Tensor weight = random(2, 4, 16).requiresGrad_(true);
    float[] before;
    try (Autocast _ = Autocast.bfloat16(CPU)) {
      before = x.linear(weight, null).toFloats();
    }
    try (NoGrad _ = NoGrad.enter()) {
      weight.mul_(2);
    }
    float[] after;
    try (Autocast _ = Autocast.bfloat16(CPU)) {
      after = x.linear(weight, null).toFloats();
    }
    for (int i = 0; i < before.length; i++) {
      assertEquals(2 * before[i], after[i], 0.0f);
    }
  }

  @Test
  void otherThreadsComputeOn() throws InterruptedException {
    DType[] there = new DType[1];
    try (Autocast _ = Autocast.bfloat16(CPU)) {
      Thread other =
          new Thread(
              () -> {
                try (Scope _ = Scope.open("other")) {
                  there[0] = random(1, 2, 3).matmul(random(2, 3, 2)).dtype();
                }
              });
      other.start();
      other.join();
    }
    assertEquals(DType.FLOAT32, there[0]);
  }

  @Test
  void float32IsFloat32OnCudaToo() {
    var context = torch.globalContext();
    assertFalse(context.allowTF32CuDNN());
    assertFalse(context.allowTF32CuBLAS());
    for (ComputePrecision precision : ComputePrecision.values()) {
      new Backend(precision, false, false).use(CPU);
      boolean allowed = precision != ComputePrecision.FLOAT32;
      assertEquals(allowed, context.allowTF32CuDNN(), precision.toString());
      assertEquals(allowed, context.allowTF32CuBLAS(), precision.toString());
    }
  }

  @Test
  void onTheProcessorNothingElseChanges() {
    Tensor x = random(1, 20, 30);
    float[] before = x.matmul(x.transpose(0, 1)).toFloats();
    new Backend(ComputePrecision.TF32, true, true).use(CPU);
    assertFalse(torch.globalContext().deterministicAlgorithms());
    assertFalse(torch.globalContext().benchmarkCuDNN());
    assertArrayEquals(before, x.matmul(x.transpose(0, 1)).toFloats());
  }

  @Test
  void whatHasNoEffectIsNamed() {
    assertEquals("", Backend.PLAIN.withoutEffect(CPU));
    assertEquals("", new Backend(ComputePrecision.BFLOAT16, false, false).withoutEffect(CPU));
    assertEquals(
        "precision TF32", new Backend(ComputePrecision.TF32, false, false).withoutEffect(CPU));
    assertEquals(
        "precision TF32, cuda.benchmark and cuda.deterministic",
        new Backend(ComputePrecision.TF32, false, true).withoutEffect(CPU));
    assertEquals("", new Backend(ComputePrecision.TF32, true, true).withoutEffect(new Device(0)));
    assertNotEquals("", new Backend(ComputePrecision.FLOAT32, true, false).withoutEffect(CPU));
  }
}
