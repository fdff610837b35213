package bridge.data;

import bridge.BridgeException;
import bridge.files.Reason;
import java.io.IOException;

/** A data file does not hold what its format promises; the message names the file and the place. */
public final class DataException extends BridgeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param file the file, or the archive and its member
   * @param what goes on from the file's name: what is wrong with it, and what to do
   */
  public DataException(Object file, String what) {
    this(file, what, null);
  }

  public DataException(Object file, String what, Throwable cause) {
    super((file + " " + what).replaceAll("\\p{Cntrl}", "?"), cause); // names in files may hold any
  }

  /** For the operating system's or a decompressor's error. */
  static DataException unreadable(Object file, IOException cause) {
    return new DataException(file, "cannot be read: " + Reason.reading(cause), cause);
  }
}
