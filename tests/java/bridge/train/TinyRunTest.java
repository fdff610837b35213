package bridge.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Tests that train on a few images, each in a folder of its own. */
abstract class TinyRunTest {
  static final String TEACHERS =
      "teachers=[{\"model\": \"models/fmnist-resnet.pt\"}, {\"model\": \"models/fmnist-vgg.pt\"}]";

  @TempDir Path folder;
  Path images;
  Path out;

  @BeforeEach
  void writeImages() {
    images = TinyRuns.images(folder.resolve("images"));
    out = folder.resolve("run");
  }

  static Set<String> files(Path folder) throws IOException {
    Set<String> names = new TreeSet<>();
    try (var all = Files.walk(folder)) {
      all.filter(Files::isRegularFile)
          .forEach(file -> names.add(folder.relativize(file).toString()));
    }
    return names;
  }
}
