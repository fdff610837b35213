package bridge;

/** The command line or the recipe asks for something that cannot be (exit status 2). */
public final class UsageException extends BridgeException {
  private static final long serialVersionUID = 1L;

  public UsageException(String message) {
    super(message, null);
  }

  public UsageException(String message, Throwable cause) {
    super(message, cause);
  }

  @Override
  public int exitCode() {
    return 2;
  }
}
