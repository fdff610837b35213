package bridge.files;

import bridge.BridgeException;
import java.io.IOException;
import java.nio.file.Path;

/** A file that the system does not let be written or read: which, why, and what to do. */
public final class FileException extends BridgeException {
  private static final long serialVersionUID = 1L;

  private FileException(String message, IOException cause) {
    super(message, cause);
  }

  /** For a file or folder that cannot be written or created. */
  public static FileException unwritable(Path file, IOException cause) {
    return new FileException(
        "%s cannot be written: %s".formatted(file, Reason.writing(file, cause)), cause);
  }

  /** For a file or folder that cannot be read. */
  public static FileException unreadable(Path file, IOException cause) {
    return new FileException("%s cannot be read: %s".formatted(file, Reason.reading(cause)), cause);
  }
}
