package bridge.train;

import bridge.BridgeException;

/** A run that cannot go on: a loss that is no number, a state of another run. */
public final class TrainingException extends BridgeException {
  private static final long serialVersionUID = 1L;

  TrainingException(String message) {
    super(message, null);
  }
}
