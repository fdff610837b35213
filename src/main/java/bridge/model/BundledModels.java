package bridge.model;

import bridge.UsageException;
import bridge.files.FileException;
import bridge.files.Folders;
import bridge.files.Reason;
import bridge.files.WholeFile;
import bridge.torch.Natives;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/**
 * The teachers that the program carries, so that a first run works from any folder: {@code
 * models/NAME.pt} means the file of that name where there is one, else the copy in the jar.
 */
final class BundledModels {
  private static final Pattern NAME = Pattern.compile("models/([\\w-]+)\\.pt");

  private BundledModels() {}

  /** The file itself, or for a bundled name that is no file here, its copy out of the jar. */
  static Path locate(Path file) {
    var name = NAME.matcher(file.toString());
    if (Files.exists(file)
        || !name.matches()
        || BundledModels.class.getResource("/" + file) == null) {
      return file;
    }
    try {
      return unpack(file.toString(), "models/" + name.group(1) + ".json");
    } catch (IOException e) {
      throw unpackable(file, Reason.reading(e).what(), e);
    } catch (FileException e) {
      throw unpackable(file, e.getMessage(), e);
    }
  }

  private static UsageException unpackable(Path file, String why, Exception e) {
    return new UsageException(
        "model %s cannot be unpacked to %s (%s); make room, or export a copy and name its file"
            .formatted(file, Natives.cache(), why),
        e);
  }

  /** A folder of the natives' cache, named by the content, so that versions never mix. */
  private static Path unpack(String model, String card) throws IOException {
    byte[] weights = resource(model);
    CRC32 content = new CRC32();
    content.update(weights);
    Path folder =
        Natives.cache().resolve("bridge-models").resolve("%08x".formatted(content.getValue()));
    Folders.create(folder);
    write(folder.resolve(Path.of(card).getFileName()), resource(card));
    return write(folder.resolve(Path.of(model).getFileName()), weights);
  }

  private static Path write(Path file, byte[] content) throws IOException {
    if (!Files.exists(file) || Files.size(file) != content.length) {
      WholeFile.write(file, content);
    }
    return file;
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = BundledModels.class.getResourceAsStream("/" + name)) {
      if (in == null) {
        throw new IOException("the program lacks " + name);
      }
      return in.readAllBytes();
    }
  }
}
