package bridge.checkpoint;

import bridge.BridgeException;
import java.nio.file.Path;

/** A checkpoint file that cannot be read or written: which, where in it, and what to do. */
public final class CheckpointException extends BridgeException {
  private static final long serialVersionUID = 1L;

  private static final int LONGEST = 100;

  CheckpointException(Path file, String what) {
    this(file, what, null);
  }

  CheckpointException(Path file, String what, Throwable cause) {
    super("checkpoint " + file + " " + what, cause);
  }

  /** A name out of a file, made fit for a message: one line, not too long. */
  static String printable(String name) {
    String line = name.replaceAll("\\p{C}", "?");
    return line.length() <= LONGEST ? line : line.substring(0, LONGEST) + "…";
  }
}
