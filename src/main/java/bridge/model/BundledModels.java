package bridge.model;

import bridge.UsageException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * The teachers that the program carries, so that a first run works from any folder: {@code
 * models/NAME.pt} means the file of that name where there is one, else the copy in the jar.
 */
final class BundledModels {
  private static final Pattern NAME = Pattern.compile("models/([\\w-]+)\\.pt");
  private static Path folder;

  private BundledModels() {}

  /** The file itself, or for a bundled name that is no file here, its copy out of the jar. */
  static Path locate(Path file) {
    var name = NAME.matcher(file.toString());
    if (Files.exists(file) || !name.matches() || !isBundled(file.toString())) {
      return file;
    }
    try {
      Path copy = folder().resolve(file.getFileName());
      unpack(file.toString(), copy);
      String card = name.group(1) + ".json";
      unpack("models/" + card, copy.resolveSibling(card));
      return copy;
    } catch (IOException e) {
      throw new UsageException(
          "model %s cannot be unpacked to the temporary folder (%s); make room or set"
                  .formatted(file, e.getMessage())
              + " -Djava.io.tmpdir",
          e);
    }
  }

  private static boolean isBundled(String name) {
    return BundledModels.class.getResource("/" + name) != null;
  }

  private static synchronized Path folder() throws IOException {
    if (folder == null) {
      folder = Files.createTempDirectory("bridge-models");
      folder.toFile().deleteOnExit();
    }
    return folder;
  }

  private static void unpack(String resource, Path to) throws IOException {
    if (Files.exists(to)) {
      return;
    }
    try (InputStream in = BundledModels.class.getResourceAsStream("/" + resource)) {
      if (in != null) {
        Files.copy(in, to);
        to.toFile().deleteOnExit();
      }
    }
  }
}
