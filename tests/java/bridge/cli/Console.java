package bridge.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.function.IntSupplier;

/** Runs the program in this process and catches what it says. */
final class Console {
  /**
   * What came of a command.
   *
   * @param status the exit status
   */
  record Ran(int status, String out, String err) {}

  private Console() {}

  static Ran run(String... args) {
    return run(() -> Main.run(args));
  }

  static Ran run(IntSupplier command) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    ByteArrayOutputStream complained = new ByteArrayOutputStream();
    try (PrintStream newOut = new PrintStream(said, true, UTF_8);
        PrintStream newErr = new PrintStream(complained, true, UTF_8)) {
      System.setOut(newOut);
      System.setErr(newErr);
      int status = command.getAsInt();
      return new Ran(status, said.toString(UTF_8), complained.toString(UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }
}
