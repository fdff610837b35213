package bridge.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Replaces a file in one step: a reader sees the old content or the new, never a part of it. */
public final class WholeFile {
  private WholeFile() {}

  /**
   * @throws ReportException if the folder or the disk does not take it; the old file stands
   */
  public static void write(Path file, byte[] content) {
    Path target = file.toAbsolutePath();
    Path part = target.resolveSibling("." + target.getFileName() + ".part");
    try {
      try {
        Files.write(part, content);
        Files.move(
            part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      throw ReportException.unwritable(file, e);
    }
  }
}
