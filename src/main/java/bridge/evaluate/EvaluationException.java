package bridge.evaluate;

import bridge.BridgeException;

/** An evaluation that cannot go on. */
public final class EvaluationException extends BridgeException {
  private static final long serialVersionUID = 1L;

  EvaluationException(String message, Throwable cause) {
    super(message, cause);
  }
}
