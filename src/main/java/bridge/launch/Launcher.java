package bridge.launch;

import java.io.File;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Where {@code java -jar bridge.jar} begins: sees to it that the program runs on a Java that is new
 * enough and, in the CUDA build, with CUDA's libraries on the dynamic loader's path; both can only
 * be had by starting a second JVM. Where this one will do, it may still be replaced, in the same
 * process, by one with {@link JvmOptions} for what is to be run.
 *
 * <p>Compiled for Java 17, and on its own: an older Java must be able to load it.
 */
public final class Launcher {
  private static final int FEATURE = 25;
  private static final String PROGRAM = "bridge.cli.Main";

  /** The process id of the launcher that started this JVM, which therefore starts no other. */
  private static final String PARENT_PROPERTY = "bridge.launcher.pid";

  private static final String CUDA_OPTION = "--cuda-libs";

  /**
   * Commands that can do without libtorch, so that they also run where CUDA's libraries are
   * missing.
   */
  public static final Set<String> WITHOUT_TORCH =
      Set.of("leaderboard", "recipes", "data", "doctor");

  private static final Set<String> QUESTIONS = Set.of("-h", "--help", "-V", "--version");

  /** Something the user can mend, said in one line. */
  static final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;

    Refusal(String message) {
      super(message);
    }
  }

  /** The command line without the launcher's own option, which may stand anywhere in it. */
  record Arguments(List<String> rest, String cudaLibs) {
    static Arguments of(String... args) throws Refusal {
      List<String> rest = new ArrayList<>(List.of(args));
      String folders = null;
      for (int i = 0; i < rest.size() && !rest.get(i).equals("--"); i++) {
        if (rest.get(i).startsWith(CUDA_OPTION + "=")) {
          folders = rest.remove(i--).substring(CUDA_OPTION.length() + 1);
        } else if (rest.get(i).equals(CUDA_OPTION)) {
          if (i + 1 == rest.size()) {
            throw new Refusal(CUDA_OPTION + " needs a folder, or several separated by ':'");
          }
          rest.remove(i);
          folders = rest.remove(i--);
        }
      }
      return new Arguments(rest, folders);
    }

    /** The first word that is no option. */
    Optional<String> command() {
      return rest.stream().filter(arg -> !arg.startsWith("-")).findFirst();
    }

    /** Whether libtorch will be loaded. */
    boolean needTorch() {
      return command().isPresent()
          && !WITHOUT_TORCH.contains(command().get())
          && rest.stream().noneMatch(QUESTIONS::contains);
    }
  }

  private Launcher() {}

  /** Runs the program with these arguments, here or in a second JVM; exits with its status. */
  public static void main(String[] args) throws Throwable {
    try {
      requirePlatform();
      if (System.getProperty(PARENT_PROPERTY) == null) {
        Arguments arguments = Arguments.of(args);
        Optional<ProcessBuilder> other = other(arguments);
        if (other.isPresent()) {
          System.exit(runToTheEnd(other.get()));
        }
        if (System.getProperty(JvmOptions.CHOSEN) == null) {
          beginAgain(arguments);
        }
        args = arguments.rest().toArray(String[]::new);
      }
    } catch (Refusal refusal) {
      System.err.println("bridge: " + refusal.getMessage());
      System.exit(2);
    }
    runHere(args);
  }

  /** In a JVM with better options, where there are any; else this one goes on. */
  private static void beginAgain(Arguments arguments) throws Throwable {
    Optional<List<String>> command = JvmOptions.again(arguments, CudaLibraries.needed());
    if (command.isPresent()) {
      MethodHandles.publicLookup()
          .findStatic(
              Class.forName("bridge.torch.SameProcess"),
              "become",
              MethodType.methodType(void.class, List.class))
          .invoke(command.get());
    }
  }

  private static void requirePlatform() throws Refusal {
    String system = System.getProperty("os.name");
    String processor = System.getProperty("os.arch");
    if (!system.equals("Linux") || !processor.equals("amd64")) {
      throw new Refusal("needs Linux on x86-64, found " + system + " on " + processor);
    }
  }

  /** The JVM to run in instead of this one, if this one will not do. */
  private static Optional<ProcessBuilder> other(Arguments arguments) throws Refusal {
    boolean tooOld = Runtime.version().feature() < FEATURE;
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    if (tooOld) {
      java =
          JavaHomes.find(FEATURE, System.getenv(), Path.of("/"))
              .orElseThrow(() -> new Refusal(noJava(System.getenv())))
              .java();
    }
    ProcessBuilder process = new ProcessBuilder().inheritIO();
    if (!prepareCuda(arguments, process.environment()) && !tooOld) {
      return Optional.empty();
    }
    List<String> command = process.command();
    command.add(java.toString());
    List<String> given = ManagementFactory.getRuntimeMXBean().getInputArguments();
    command.addAll(JvmOptions.chosen(arguments, CudaLibraries.needed(), given));
    command.addAll(options(given, arguments.cudaLibs()));
    command.add(Launcher.class.getName());
    command.addAll(arguments.rest());
    return Optional.of(process);
  }

  static String noJava(Map<String, String> environment) {
    String named =
        Stream.of("BRIDGE_JAVA_HOME", "JAVA_HOME")
            .filter(environment::containsKey)
            .map(variable -> ", " + variable + " is " + environment.get(variable))
            .collect(Collectors.joining());
    return "needs Java "
        + FEATURE
        + " or newer, but java is "
        + Runtime.version().feature()
        + " ("
        + System.getProperty("java.home")
        + named
        + ") and no newer one was found in the usual folders; install a JDK "
        + FEATURE
        + " (Eclipse Temurin, or your distribution's openjdk-"
        + FEATURE
        + "-jdk), or set BRIDGE_JAVA_HOME to the folder of one";
  }

  /** The JVM's own options, passed on, and ours, which count less. */
  private static List<String> options(List<String> given, String cudaLibs) {
    List<String> options = new ArrayList<>();
    options.add("--enable-native-access=ALL-UNNAMED");
    options.add("-D" + PARENT_PROPERTY + "=" + ProcessHandle.current().pid());
    if (cudaLibs != null) {
      options.add("-D" + CudaLibraries.OPTION_PROPERTY + "=" + cudaLibs);
    }
    // A debugger's port is taken by this JVM as long as the other one runs.
    given.stream().filter(option -> !option.startsWith("-agentlib:jdwp")).forEach(options::add);
    options.add("-cp");
    options.add(System.getProperty("java.class.path"));
    return options;
  }

  /**
   * Puts CUDA's libraries on the loader's path of the other JVM.
   *
   * @return whether this JVM's path lacks any of them
   */
  private static boolean prepareCuda(Arguments arguments, Map<String, String> environment)
      throws Refusal {
    if (!CudaLibraries.needed()) {
      if (arguments.cudaLibs() != null) {
        throw new Refusal(
            CUDA_OPTION + " is for the CUDA build, this is the CPU build; mvn -Pcuda package");
      }
      return false;
    }
    List<CudaLibraries.Found> libraries = CudaLibraries.search(arguments.cudaLibs(), environment);
    String remedy = CudaLibraries.remedy(libraries);
    if (!remedy.isEmpty()) {
      if (arguments.needTorch()) {
        throw new Refusal("CUDA libraries " + remedy);
      }
      return arguments.cudaLibs() != null;
    }
    String before = environment.getOrDefault("LD_LIBRARY_PATH", "");
    List<String> path =
        Stream.concat(
                CudaLibraries.folders(libraries).stream().map(Path::toString),
                Stream.of(before.split(File.pathSeparator)).filter(folder -> !folder.isEmpty()))
            .distinct()
            .collect(Collectors.toList());
    String after = String.join(File.pathSeparator, path);
    environment.put("LD_LIBRARY_PATH", after);
    return !after.equals(before);
  }

  /** Runs the other JVM, to which signals are passed on and whose exit status is ours. */
  private static int runToTheEnd(ProcessBuilder process) throws Refusal {
    Process program;
    try {
      // From this thread, which stays: the program dies with the thread that has started it.
      program = process.start();
    } catch (IOException e) {
      throw new Refusal("cannot start " + process.command().get(0) + ": " + e.getMessage());
    }
    Thread passOn =
        new Thread(
            () -> {
              if (program.isAlive()) {
                // Asked to stop. The program may take seconds to save its state.
                program.destroy();
                Runtime.getRuntime().halt(await(program));
              }
            });
    try {
      Runtime.getRuntime().addShutdownHook(passOn);
    } catch (IllegalStateException e) {
      program.destroy(); // asked to stop before there was anything to pass on
    }
    return await(program);
  }

  private static int await(Process program) {
    while (true) {
      try {
        return program.waitFor();
      } catch (InterruptedException e) {
        // Nobody interrupts this thread for a reason that would let it leave the program alone.
        continue;
      }
    }
  }

  private static void runHere(String[] args) throws Throwable {
    // Before the first class of JavaCPP is loaded. Its own limits count memory that is not its own:
    // everything resident in the process, and mapped data sets with it.
    System.getProperties().putIfAbsent("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    System.getProperties().putIfAbsent("org.bytedeco.javacpp.maxBytes", "0");
    if (CudaLibraries.needed()) {
      System.getProperties().putIfAbsent("org.bytedeco.javacpp.platform.extension", "-gpu");
    }
    MethodHandles.Lookup lookup = MethodHandles.publicLookup();
    String parent = System.getProperty(PARENT_PROPERTY);
    if (parent != null) {
      lookup
          .findStatic(
              Class.forName("bridge.torch.ParentDeath"),
              "dieWithParent",
              MethodType.methodType(void.class, long.class))
          .invoke(Long.parseLong(parent));
    }
    lookup
        .findStatic(
            Class.forName(PROGRAM), "main", MethodType.methodType(void.class, String[].class))
        .asFixedArity()
        .invoke((Object) args);
  }
}
