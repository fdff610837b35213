package bridge.pickle;

import bridge.BridgeException;
import java.util.Locale;

/**
 * A pickle that is damaged, too large, or asks for what no file of its kind needs. The message goes
 * on from the file's name, which whoever knows it puts before.
 */
public final class PickleException extends BridgeException {
  private static final long serialVersionUID = 1L;

  private static final String DAMAGED = "fetch it again";
  private static final String UNSAFE = "nothing was run, do not use the file";

  private final String what;
  private final String remedy;

  /**
   * Of damage.
   *
   * @param what goes on from "has a pickle that"
   */
  public PickleException(String what) {
    this(what, DAMAGED, "");
  }

  private PickleException(String what, String remedy, String place) {
    super("has a pickle that %s%s; %s".formatted(what, place, remedy), null);
    this.what = what;
    this.remedy = remedy;
  }

  /** Of a pickle that asks Python to do what data need not. */
  public static PickleException unsafe(String what) {
    return new PickleException(what, UNSAFE, "");
  }

  /** Of a value of another type than belongs in its place. */
  public static PickleException mistyped(Class<?> expected) {
    String type =
        switch (expected.getSimpleName()) {
          case "String" -> "text";
          case "Long" -> "whole number";
          default -> expected.getSimpleName().toLowerCase(Locale.ROOT);
        };
    return new PickleException("has another value where a %s belongs".formatted(type));
  }

  /** The same with where the opcode is. */
  PickleException at(long offset) {
    return new PickleException(what, remedy, " (byte %d)".formatted(offset));
  }
}
