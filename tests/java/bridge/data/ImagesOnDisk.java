package bridge.data;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A folder for images and one for what is decoded of them, instead of the user's own. */
abstract class ImagesOnDisk {
  @TempDir Path folder;
  @TempDir Path cache;

  @BeforeEach
  void useCache() {
    System.setProperty("bridge.cache", cache.toString());
  }

  @AfterEach
  void forgetCache() {
    System.clearProperty("bridge.cache");
  }
}
