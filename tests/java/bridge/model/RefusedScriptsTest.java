package bridge.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.checkpoint.CheckpointException;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TorchScript files that are refused, and what is said of them. */
class RefusedScriptsTest extends NestedScriptTest {
  @Test
  void anotherClassCountIsRefused() {
    assertMessage(
        "gives 10 classes, the data has 100", () -> load(FOLDER.resolve("nested.pt"), 100, 12));
  }

  @Test
  void imagesItCannotTakeAreRefused() {
    assertMessage(
        "does not take the data's images [2, 3, 12, 12]",
        () ->
            Models.build(
                ModelSpec.parse(FOLDER.resolve("nested.pt").toString()),
                3,
                10,
                12,
                Normalisation.NONE,
                new Seeds(1),
                Device.CPU));
  }

  @Test
  void whatIsNoLogitsIsRefused() {
    assertMessage("the network gives a Tuple", () -> load("pair.pt"));
  }

  /** The names in the zip stand, the code in it is none. */
  private static byte[] damaged(byte[] whole) {
    String text = new String(whole, StandardCharsets.ISO_8859_1);
    return text.replace("def forward", "dfe forward").getBytes(StandardCharsets.ISO_8859_1);
  }

  @Test
  void brokenFilesAreRefusedInOneLine(@TempDir Path folder) throws IOException {
    byte[] whole = Files.readAllBytes(FOLDER.resolve("nested.pt"));
    for (int length : new int[] {0, 10, 1000, whole.length - 100}) {
      Path file = Files.write(folder.resolve("cut.pt"), Arrays.copyOf(whole, length));
      CheckpointException e =
          assertThrows(CheckpointException.class, () -> load(file, 10, 12), "cut at " + length);
      assertTrue(e.getMessage().startsWith("checkpoint " + file + " is "), e.getMessage());
      assertEquals(1, e.getMessage().lines().count());
    }
    Path renamed = Files.write(folder.resolve("cut.pt"), damaged(whole));
    assertMessage("cut.pt cannot be loaded as TorchScript", () -> load(renamed, 10, 12));
  }

  @Test
  void submodulesWithoutAFeatureAreNamed() {
    Network network = load("nested.pt");
    assertMessage("no submodule layer3", () -> network.forward(images(), List.of("layer3")));
    assertMessage("unused is not called", () -> network.forward(images(), List.of("unused")));
    assertMessage("extra is called in a branch", () -> network.forward(images(), List.of("extra")));
    assertTrue(network.modules().contains("layer2.0.shortcut.1"));
  }
}
