package bridge.torch;

import bridge.BridgeException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** libtorch said no: its message in one line; the C++ backtrace is the cause's own text. */
public final class NativeException extends BridgeException {
  private static final long serialVersionUID = 1L;

  /** {@code RuntimeError: }, or the class that a script raises: {@code builtins.ValueError: }. */
  private static final Pattern REASON = Pattern.compile("(?m)^[\\w.]*(?:Error|Exception): ");

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
    Matcher reason = REASON.matcher(text);
    int from = 0;
    while (reason.find()) {
      from = reason.end();
    }
    text = text.substring(from);
    int trace = text.indexOf("Exception raised from");
    if (trace > 0) {
      text = text.substring(0, trace);
    }
    String line = text.strip().lines().findFirst().orElse("unknown error");
    return "libtorch: " + line.strip();
  }
}
