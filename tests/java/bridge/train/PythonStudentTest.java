package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.model.Mode;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import bridge.train.TinyRuns.RecordingListener;
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
 * Python loads the student of a run and computes what we compute. Needs the environment variable
 * {@code BRIDGE_PYTHON}, an interpreter with PyTorch.
 */
@Tag("python")
final class PythonStudentTest {
  private static final String MODEL = "resnet8:width=4,stride=2";
  private static final int IMAGES = 9;

  /** Both sum the same float32 products, in orders of their own. */
  private static final double TOLERANCE = 1e-5;

  @TempDir Path folder;

  @Test
  void pythonReadsTheBestStudentAndComputesItsLogits() throws IOException, InterruptedException {
    String python = System.getenv("BRIDGE_PYTHON");
    Assumptions.assumeTrue(
        python != null && !python.isBlank(), "BRIDGE_PYTHON names no interpreter with PyTorch");
    Path data = TinyRuns.images(folder.resolve("images"));
    Path run = folder.resolve("run");
    TinyRuns.run(
        TinyRuns.recipe(data, "method.name=pgd-at"), run, Long.MAX_VALUE, new RecordingListener());
    for (String file : List.of("best.pth", "last.pth")) {
      float[] ours = ours(run.resolve(file));
      float[] theirs = theirs(python, run.resolve(file));
      assertEquals(ours.length, theirs.length);
      double largest = 0;
      for (int i = 0; i < ours.length; i++) {
        largest = Math.max(largest, Math.abs(ours[i] - theirs[i]));
      }
      assertTrue(largest <= TOLERANCE, "%s: largest difference %g".formatted(file, largest));
    }
  }

  private float[] ours(Path state) throws IOException {
    try (Scope _ = Scope.open("test");
        NoGrad _ = NoGrad.enter()) {
      Network student =
          Models.build(
              ModelSpec.parse(MODEL + "@" + state),
              1,
              10,
              28,
              Normalisation.NONE,
              new Seeds(1),
              Device.CPU);
      Tensor images =
          Tensor.uniform(0, 1, Generator.on(Device.CPU, 5), Device.CPU, IMAGES, 1, 28, 28);
      Files.write(folder.resolve("images.f32"), bytes(images.toFloats()));
      try (Mode _ = Mode.eval(student)) {
        return student.logits(images).toFloats();
      }
    }
  }

  private float[] theirs(String python, Path state) throws IOException, InterruptedException {
    Path logits = folder.resolve("logits.f32");
    ProcessBuilder builder =
        new ProcessBuilder(
                python,
                "tests/peer/student_logits.py",
                state.toString(),
                "8",
                "4",
                "2",
                "10",
                folder.resolve("images.f32").toString(),
                IMAGES + ",1,28,28",
                logits.toString())
            .redirectErrorStream(true);
    builder.environment().put("OMP_NUM_THREADS", "1");
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    ByteBuffer buffer = ByteBuffer.wrap(Files.readAllBytes(logits)).order(ByteOrder.LITTLE_ENDIAN);
    float[] values = new float[buffer.remaining() / Float.BYTES];
    buffer.asFloatBuffer().get(values);
    return values;
  }

  private static byte[] bytes(float[] values) {
    ByteBuffer buffer =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asFloatBuffer().put(values);
    return buffer.array();
  }
}
