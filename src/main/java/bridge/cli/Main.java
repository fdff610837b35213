package bridge.cli;

import bridge.BridgeException;
import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The command line: finds the command, runs it, and turns what went wrong into one line. */
@Command(
    name = "bridge",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    description = "Trains small image classifiers that hold against adversarial examples.",
    subcommands = {
      TrainCommand.class,
      EvaluateCommand.class,
      RecipesCommand.class,
      DataCommand.class,
      DoctorCommand.class
    },
    footer = "Exit status: 0 done, 1 failed, 2 wrong command line or recipe, 130 stopped.")
public final class Main implements Runnable {
  /** Failed while running. */
  private static final int FAILED = 1;

  /** The command line or the recipe is wrong. */
  static final int WRONG = 2;

  /** Stopped by the user, the state saved. */
  static final int STOPPED = 130;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show stack traces and what the native libraries say.")
  private boolean debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  /** Says what was built, from the jar's manifest. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"bridge " + (version == null ? "(not packaged)" : version)};
    }
  }

  /** Runs the program and ends the process with its status. */
  public static void main(String[] args) {
    System.setProperty("java.awt.headless", "true");
    int status = run(args);
    System.out.flush();
    Shutdown.finished();
    System.exit(status);
  }

  /** Runs a command in this process. */
  static int run(String... args) {
    Main main = new Main();
    return commandLine(main).execute(args);
  }

  /** The parser with all commands, also for tests of the options' names. */
  static CommandLine commandLine(Main main) {
    CommandLine line = new CommandLine(main);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler((e, command, parsed) -> main.failed(e));
    line.setParameterExceptionHandler(
        (e, args) -> {
          String text = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
          String name = e.getCommandLine().getCommandSpec().qualifiedName();
          System.err.println("bridge: " + text + "; see " + name + " --help");
          return WRONG;
        });
    return line;
  }

  private int failed(Exception e) {
    if (debug) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace));
      System.err.print(trace);
    }
    if (e instanceof BridgeException known) {
      System.err.println("bridge: " + oneLine(known.getMessage()));
      return known.exitCode();
    }
    System.err.println(
        "bridge: internal error: %s; please report it with the output of --debug"
            .formatted(oneLine(e.toString())));
    return FAILED;
  }

  private static String oneLine(String text) {
    return String.valueOf(text).replaceAll("\\s*\\R\\s*", " ");
  }

  @Override
  public void run() {
    spec.commandLine().usage(System.out);
  }
}
