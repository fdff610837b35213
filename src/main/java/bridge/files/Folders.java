package bridge.files;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

/** Folders that files are to be written into. */
public final class Folders {
  private Folders() {}

  /**
   * Creates a folder and those above it, as far as they are not there.
   *
   * @throws FileException if that cannot be
   */
  public static void create(Path folder) {
    try {
      createAll(folder);
    } catch (IOException e) {
      throw FileException.unwritable(folder, e);
    }
  }

  static void createAll(Path folder) throws IOException {
    try {
      Files.createDirectories(folder);
    } catch (FileAlreadyExistsException e) {
      NotDirectoryException file = new NotDirectoryException(e.getFile());
      file.initCause(e);
      throw file;
    }
  }
}
