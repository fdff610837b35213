package bridge.report;

import bridge.BridgeException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A report or log that cannot be written or read. */
public final class ReportException extends BridgeException {
  private static final long serialVersionUID = 1L;

  ReportException(String message, Throwable cause) {
    super(message, cause);
  }

  static ReportException unwritable(Path file, IOException cause) {
    return new ReportException(
        "%s cannot be written: %s; see to the folder and its free space"
            .formatted(file, reason(cause)),
        cause);
  }

  static ReportException unreadable(Path file, IOException cause) {
    return new ReportException("%s cannot be read: %s".formatted(file, reason(cause)), cause);
  }

  /** File system errors often carry only the file's name as their message. */
  private static String reason(IOException e) {
    if (e instanceof FileSystemException f && f.getReason() != null) {
      return f.getReason();
    }
    if (e instanceof NoSuchFileException) {
      return "no such file or folder";
    }
    return e instanceof FileSystemException || e.getMessage() == null
        ? e.getClass().getSimpleName()
        : e.getMessage();
  }
}
