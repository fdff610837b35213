package bridge.cli;

import bridge.BridgeException;
import bridge.Options;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.logging.ConsoleHandler;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The command line: finds the command, runs it, and turns what went wrong into one line. */
@Command(
    name = "bridge",
    sortOptions = false,
    versionProvider = Main.Version.class,
    description = "Trains small image classifiers that hold against adversarial examples.",
    subcommands = {
      TrainCommand.class,
      EvaluateCommand.class,
      BenchCommand.class,
      LeaderboardCommand.class,
      InspectCommand.class,
      ConvertCommand.class,
      RecipesCommand.class,
      DataCommand.class,
      DoctorCommand.class
    },
    footer = "Exit status: 0 done, 1 failed, 2 wrong command line or recipe, 130 stopped.")
public final class Main implements Runnable {
  /** Held, since java.util.logging forgets loggers that nobody holds. */
  private static final Logger LOGGER = Logger.getLogger("bridge");

  /** Failed while running. */
  static final int FAILED = 1;

  /** The command line or the recipe is wrong. */
  static final int WRONG = 2;

  /** Stopped by the user, the state saved. */
  static final int STOPPED = 130;

  @Option(
      names = "--cuda-libs",
      scope = ScopeType.INHERIT,
      paramLabel = "DIRS",
      description = "CUDA build: folders of CUDA, cuDNN, NCCL, ':' between (searched for).")
  private String cudaLibs; // the launcher takes it away; here for the help

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Shows stack traces and what the native libraries say.")
  private boolean debug;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Shows this text.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Shows the version.")
  private boolean version;

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
    Shutdown.install();
    int status = FAILED;
    try {
      status = run(args);
    } finally {
      System.out.flush();
      Shutdown.finished(status);
    }
    System.exit(status);
  }

  /** Runs a command in this process. */
  static int run(String... args) {
    Main main = new Main();
    try {
      return commandLine(main).execute(args);
    } catch (Error e) {
      return main.failed(e);
    }
  }

  /** The parser with all commands, also for tests of the options' names. */
  static CommandLine commandLine(Main main) {
    CommandLine line = new CommandLine(main);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionStrategy(
        parsed -> {
          if (main.debug) {
            logAll();
          }
          return new CommandLine.RunLast().execute(parsed);
        });
    line.setExecutionExceptionHandler((e, command, parsed) -> main.failed(e));
    line.setParameterExceptionHandler((e, args) -> wrong(e));
    return line;
  }

  private static int wrong(CommandLine.ParameterException e) {
    String text = oneLine(e.getMessage());
    String hint = "";
    if (e instanceof CommandLine.UnmatchedArgumentException unmatched) {
      var known = e.getCommandLine().getCommandSpec();
      hint =
          Options.hint(
              unmatched.getUnmatched().getFirst().replaceFirst("=.*", ""),
              unmatched.isUnknownOption()
                  ? known.optionsMap().keySet()
                  : known.subcommands().keySet());
    }
    String command = e.getCommandLine().getCommandSpec().qualifiedName();
    System.err.println("bridge: " + text + hint + "; see " + command + " --help");
    return WRONG;
  }

  /** Lets the program's own loggers say all they know, on stderr. */
  private static void logAll() {
    Handler handler = new ConsoleHandler();
    handler.setLevel(Level.ALL);
    LOGGER.setUseParentHandlers(false);
    LOGGER.addHandler(handler);
    LOGGER.setLevel(Level.ALL);
  }

  private int failed(Throwable e) {
    if (debug) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace));
      System.err.print(trace);
    }
    if (e instanceof BridgeException known) {
      System.err.println("bridge: " + oneLine(known.getMessage()));
      return known.exitCode();
    }
    if (e instanceof OutOfMemoryError) {
      System.err.println(
          "bridge: out of memory: %s; make the batch smaller, or the Java heap larger (-Xmx8g)"
              .formatted(oneLine(e.getMessage())));
      return FAILED;
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
