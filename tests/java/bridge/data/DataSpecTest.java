package bridge.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataSpecTest {
  private static String refused(String text) {
    return assertThrows(UsageException.class, () -> DataSpec.parse(text)).getMessage();
  }

  @Test
  void everyKindIsKnownByItsName(@TempDir Path folder) {
    for (DataSpec.Kind kind : DataSpec.Kind.values()) {
      String text =
          kind == DataSpec.Kind.FASHION_MNIST_MINI ? kind.toString() : kind + ":" + folder;
      assertEquals(kind, DataSpec.parse(text).kind());
      assertEquals(text, DataSpec.parse(text).toString());
    }
    assertEquals("tiny-imagenet", DataSpec.Kind.TINY_IMAGENET.toString());
  }

  @Test
  void pathsMayHoldColonsAndTheHomeFolder(@TempDir Path folder) throws java.io.IOException {
    Path odd = java.nio.file.Files.createDirectory(folder.resolve("a:b c"));
    assertEquals(odd, DataSpec.parse("cifar10:" + odd).path());
    assertEquals(Path.of(System.getProperty("user.home"), "x"), DataSpec.parse("mnist:~/x").path());
  }

  @Test
  void nearestNameIsSuggested() {
    assertTrue(refused("cifar-10:x").contains("did you mean cifar10?"), refused("cifar-10:x"));
    assertTrue(refused("tinyimagenet:x").contains("did you mean tiny-imagenet?"));
    assertTrue(refused("imagenet:x").contains("known: cifar10, cifar100"));
  }

  @Test
  void whatCannotBeIsRefused() {
    assertTrue(refused("cifar10:/no/such/place").contains("no such file or folder"));
    assertTrue(refused("cifar10").contains("cifar10:PATH"));
    assertTrue(refused("image-folder:").contains("image-folder:PATH"));
    assertTrue(refused("fashion-mnist-mini:x").contains("takes no path"));
  }
}
