package bridge.report;

import bridge.BridgeException;

/** A report that cannot be made: a log is damaged, a run or what draws is missing. */
public final class ReportException extends BridgeException {
  private static final long serialVersionUID = 1L;

  ReportException(String message, Throwable cause) {
    super(message, cause);
  }
}
