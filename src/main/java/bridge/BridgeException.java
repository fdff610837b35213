package bridge;

/**
 * Something a user can mend: said in one line, never with a stack trace.
 *
 * <p>Text of every such exception: what failed, with which value, what was expected, what to do;
 * lower-case start, no full stop at the end.
 */
public abstract class BridgeException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  protected BridgeException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The process's exit status for this error: 1 failed while running, 2 the request was wrong. */
  public int exitCode() {
    return 1;
  }
}
