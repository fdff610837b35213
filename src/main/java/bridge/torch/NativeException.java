package bridge.torch;

import bridge.BridgeException;

/** libtorch said no: its message in one line; the C++ backtrace is the cause's own text. */
public final class NativeException extends BridgeException {
  private static final long serialVersionUID = 1L;

  NativeException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Turns the presets' exception, whose text holds a C++ backtrace, into one line. */
  static NativeException of(RuntimeException e) {
    return e instanceof NativeException n ? n : new NativeException(firstLine(e), e);
  }

  private static String firstLine(RuntimeException e) {
    String text = e.getMessage() == null ? e.toString() : e.getMessage();
    // the interpreter of TorchScript puts its own frames first and the reason last
    int reason = text.lastIndexOf("RuntimeError: ");
    if (reason >= 0) {
      text = text.substring(reason + "RuntimeError: ".length());
    }
    int trace = text.indexOf("Exception raised from");
    if (trace > 0) {
      text = text.substring(0, trace);
    }
    String line = text.strip().lines().findFirst().orElse("unknown error");
    return "libtorch: " + line;
  }
}
