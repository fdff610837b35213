package bridge.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;

/** TorchScript files, and what PyTorch computed with them (make_torchscript.py). */
abstract class NestedScriptTest extends ScopedTest {
  static final Path FOLDER = Path.of("tests/golden/torchscript");

  static JsonObject want;

  @BeforeEach
  void readExpected() throws IOException {
    want =
        JsonParser.parseString(Files.readString(FOLDER.resolve("nested.json"))).getAsJsonObject();
  }

  static Network load(Path file, int classes, int size) {
    return Models.build(
        ModelSpec.parse(file.toString()),
        1,
        classes,
        size,
        Normalisation.NONE,
        new Seeds(1),
        Device.CPU);
  }

  static Network load(String file) {
    return load(FOLDER.resolve(file), 10, 12);
  }

  static Tensor tensor(JsonElement numbers) {
    JsonObject o = numbers.getAsJsonObject();
    double[] values =
        o.getAsJsonArray("values").asList().stream()
            .mapToDouble(JsonElement::getAsDouble)
            .toArray();
    long[] shape =
        o.getAsJsonArray("shape").asList().stream().mapToLong(JsonElement::getAsLong).toArray();
    return Tensor.of(values, shape).to(DType.FLOAT32);
  }

  static Tensor images() {
    return tensor(want.get("images"));
  }

  static void assertMessage(String part, Runnable what) {
    UsageException e = assertThrows(UsageException.class, what::run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
  }
}
