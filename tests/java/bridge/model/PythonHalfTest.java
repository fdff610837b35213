package bridge.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.ComputePrecision;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Networks in half precision beside PyTorch's own {@code half()} and {@code bfloat16()}, one of
 * them exported by {@code models/export_teacher.py}. Needs the environment variable {@code
 * BRIDGE_PYTHON}, an interpreter with PyTorch.
 */
@Tag("python")
final class PythonHalfTest {
  private static final int IMAGES = 6;

  /**
   * How far answers may be from PyTorch's, as a share of what half precision changes. Where both
   * sum alike the bits are the same; versions for other processors may sum in other orders, which
   * moves a sum by a unit of rounding now and then.
   */
  private static final double SHARE = 0.25;

  @TempDir Path folder;

  @Test
  void answersAreThoseOfPyTorchsOwnHalf() throws IOException, InterruptedException {
    String python = System.getenv("BRIDGE_PYTHON");
    Assumptions.assumeTrue(
        python != null && !python.isBlank(), "BRIDGE_PYTHON names no interpreter with PyTorch");
    run(python, "tests/peer/half_teachers.py", folder.toString());
    for (Precision precision : List.of(Precision.BFLOAT16, Precision.FLOAT16)) {
      try (Scope _ = Scope.open("test");
          NoGrad _ = NoGrad.enter()) {
        assertAlike("resnet", "resnet8:width=8@" + folder.resolve("resnet.pth"), "fc", precision);
        assertAlike("mixed", folder.resolve("mixed.pt").toString(), "net.norm", precision);
      }
    }
  }

  private void assertAlike(String name, String model, String tap, Precision precision)
      throws IOException {
    Tensor images = read("images.f32", IMAGES, 3, 16, 16);
    Network network =
        Models.build(
            ModelSpec.parse(model), 3, 10, 16, Normalisation.NONE, new Seeds(1), Device.CPU);
    network.freeze();
    network.channelsLast(ComputePrecision.FLOAT32);
    Network.Outputs exact = network.forward(images, List.of(tap));
    Network.Outputs found =
        Models.inPrecision(network, precision, 3, 16).forward(images, List.of(tap));
    String file = "%s.%s".formatted(name, precision);
    assertAlike(file + ".f32", exact.logits(), found.logits());
    Tensor feature = found.features().get(tap);
    assertAlike(file + ".feature.f32", exact.features().get(tap), feature);
  }

  private void assertAlike(String file, Tensor exact, Tensor found) throws IOException {
    Tensor expected = read(file, found.sizes());
    double changed = exact.sub(expected).abs().mean().item();
    double apart = expected.sub(found).abs().mean().item();
    assertTrue(changed > 0, file + " is as exact as float32");
    assertTrue(
        apart <= SHARE * changed, "%s: %g apart, %g from float32".formatted(file, apart, changed));
  }

  private Tensor read(String file, long... shape) throws IOException {
    byte[] bytes = Files.readAllBytes(folder.resolve(file));
    float[] values = new float[bytes.length / Float.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return Tensor.of(values, shape);
  }

  private static void run(String... command) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("OMP_NUM_THREADS", "1");
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
  }
}
