package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import bridge.UsageException;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The words for a device, and that a CUDA device computes what the processor does. */
class DeviceTest {

  private static String refusal(String text) {
    String message = assertThrows(UsageException.class, () -> Device.parse(text)).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  @Test
  void cpuIsTheProcessor() {
    assertEquals(Device.CPU, Device.parse("cpu"));
    assertEquals("cpu", Device.CPU.toString());
    assertEquals("cuda:2", new Device(2).toString());
  }

  @Test
  void autoIsTheFirstCudaDeviceOrElseTheProcessor() {
    assertEquals(Device.cudaDevices() > 0 ? new Device(0) : Device.CPU, Device.parse("auto"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda1", "cuda:0 ", "cuda:1000"})
  void otherWordsAreRefused(String text) {
    assertEquals("device must be auto, cpu, cuda or cuda:INDEX, found " + text, refusal(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"cuda", "cuda:0", "cuda:3"})
  void withoutCudaTheReasonIsTold(String text) {
    assumeTrue(Device.cudaDevices() == 0, "there is a CUDA device here");
    String reason =
        Natives.isCudaBuild() ? "no CUDA device was found" : "this is the CPU build (mvn -Pcuda";
    assertTrue(refusal(text).startsWith("device " + text + " is not there: " + reason));
    assertTrue(refusal(text).contains("use --device cpu"));
  }

  @Test
  @Tag("gpu")
  void anIndexBeyondTheLastIsRefused() {
    assumeTrue(Device.cudaDevices() > 0, "needs a CUDA device");
    assertTrue(refusal("cuda:999").contains("this machine has cuda:0 to cuda:"));
  }

  @Test
  @Tag("gpu")
  void aForwardOnCudaIsThatOfTheProcessor() {
    assumeTrue(Device.cudaDevices() > 0, "needs a CUDA device");
    try (Scope _ = Scope.open("test");
        NoGrad _ = NoGrad.enter()) {
      Generator draws = Generator.on(Device.CPU, 1);
      Tensor images = Tensor.uniform(0, 1, draws, Device.CPU, 8, 1, 28, 28);
      Device cuda = Device.parse("cuda");
      float[] there = logits(cuda, images.to(cuda)).toFloats();
      assertArrayEquals(logits(Device.CPU, images).toFloats(), there, 1e-4f);
    }
  }

  private static Tensor logits(Device device, Tensor images) {
    Network teacher =
        Models.build(
            ModelSpec.parse("models/fmnist-resnet.pt"),
            1,
            10,
            28,
            Normalisation.NONE,
            new Seeds(1),
            device);
    teacher.freeze();
    assertEquals(device, teacher.logits(images).device());
    return teacher.logits(images);
  }

  @Test
  void theCpuBuildHasNoCudaDevice() {
    assumeFalse(Natives.isCudaBuild(), "this is the CUDA build");
    assertEquals(0, Device.cudaDevices());
  }
}
