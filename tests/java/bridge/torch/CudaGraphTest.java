package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import bridge.ScopedTest;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** CUDA graphs on a device, and what is said where there is none. */
class CudaGraphTest extends ScopedTest {
  private static Device cuda() {
    assumeTrue(Device.cudaDevices() > 0, "needs a CUDA device");
    assertEquals(Optional.empty(), CudaGraph.unavailable());
    return new Device(0);
  }

  @Test
  void withoutADeviceTheReasonIsTold() {
    assumeTrue(Device.cudaDevices() == 0, "there is a CUDA device here");
    String why = Natives.isCudaBuild() ? "no CUDA device was found" : "this is the CPU build";
    assertEquals(Optional.of(why), CudaGraph.unavailable());
    NativeException refused =
        assertThrows(NativeException.class, () -> CudaGraph.capture(new Device(0), () -> {}));
    assertEquals("there are no CUDA graphs here: " + why, refused.getMessage());
  }

  @Test
  @Tag("gpu")
  void aReplayWorksOnWhatIsThereThen() {
    Device cuda = cuda();
    Tensor in = Tensor.full(1, DType.FLOAT32, cuda, 3);
    Tensor weight = Tensor.full(2, DType.FLOAT32, cuda, 3);
    Tensor out = in.zerosLike();
    Runnable work =
        () -> {
          try (Scope _ = Scope.open("work")) {
            out.copy_(in.mul(weight).add(1));
          }
        };
    try (CudaGraph graph = CudaGraph.capture(cuda, work)) {
      for (int i = 0; i < 3; i++) {
        in.copy_(Tensor.full(10 * i, DType.FLOAT32, cuda, 3));
        weight.add_(Tensor.full(1, DType.FLOAT32, cuda, 3));
        graph.replay();
        float expected = 10 * i * (3 + i) + 1;
        assertArrayEquals(new float[] {expected, expected, expected}, out.toFloats());
      }
    }
  }

  @Test
  @Tag("gpu")
  void waitingForTheDeviceInsideIsRefusedAndTheNextCaptureWorks() {
    Device cuda = cuda();
    Tensor x = Tensor.full(1, DType.FLOAT32, cuda, 3);
    Runnable waits =
        () -> {
          try (Scope _ = Scope.open("work")) {
            x.sum().item();
          }
        };
    NativeException refused =
        assertThrows(NativeException.class, () -> CudaGraph.capture(cuda, waits));
    assertEquals(1, refused.getMessage().lines().count(), refused.getMessage());
    x.copy_(Tensor.full(1, DType.FLOAT32, cuda, 3));
    try (CudaGraph graph = CudaGraph.capture(cuda, () -> x.relu_())) {
      x.neg_();
      graph.replay();
      assertArrayEquals(new float[] {0, 0, 0}, x.toFloats());
    }
  }
}
