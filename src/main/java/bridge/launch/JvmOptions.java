package bridge.launch;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The JVM's options for what is to be run, where the user has not chosen himself.
 *
 * <p>Commands that compute in libtorch do little in Java. On the processor a JVM that compiles with
 * C2 only what stays hot, and tidies a small heap with one thread, takes a fifth less of the
 * processor's time up to the first training step, and a tenth less memory; the steps take as long
 * as before. C1 alone would take a little less still, but fills batches 3.5 times and hashes
 * checkpoints 10 times as slowly. With CUDA the host must keep up with the device: there the JVM
 * stays as it is.
 */
final class JvmOptions {
  /** Tells that the options were chosen, so that nobody chooses again. */
  static final String CHOSEN = "bridge.jvm.chosen";

  private static final Set<String> COMMANDS = Set.of("train", "evaluate", "bench");

  /** C1 begins 5 times, C2 20 times as late as usual. */
  private static final List<String> COMPILER =
      List.of(
          "-XX:Tier3InvocationThreshold=1000",
          "-XX:Tier3MinInvocationThreshold=500",
          "-XX:Tier3CompileThreshold=10000",
          "-XX:Tier3BackEdgeThreshold=300000",
          "-XX:Tier4InvocationThreshold=100000",
          "-XX:Tier4MinInvocationThreshold=12000",
          "-XX:Tier4CompileThreshold=300000",
          "-XX:Tier4BackEdgeThreshold=800000");

  private static final List<String> COLLECTOR = List.of("-XX:+UseSerialGC", "-Xmn8m");

  private static final Pattern USERS_COMPILER =
      Pattern.compile(
          "-Xint|-Xcomp|-XX:(TieredStopAtLevel|[+-]TieredCompilation|Tier\\d|Compil).*");

  private static final Pattern USERS_COLLECTOR =
      Pattern.compile(
          "-Xmn.*|-XX:[+-]Use\\w+GC|-XX:(NewSize|MaxNewSize|NewRatio|SurvivorRatio)=.*");

  /** They hold ports or files that a JVM in the same process would find taken. */
  private static final Pattern AGENT =
      Pattern.compile("-agent(lib|path):.*|-javaagent:.*|-XX:StartFlightRecording.*");

  private static final List<String> VARIABLES =
      List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS");

  private JvmOptions() {}

  /**
   * What is added to a JVM's options.
   *
   * @param arguments of the program
   * @param given to the JVM by the user, from wherever
   */
  static List<String> chosen(Launcher.Arguments arguments, boolean cuda, List<String> given) {
    boolean computes = arguments.command().filter(COMMANDS::contains).isPresent();
    if (!computes || !arguments.needTorch() || cuda) {
      return List.of();
    }
    List<String> options = new ArrayList<>();
    if (given.stream().noneMatch(option -> USERS_COMPILER.matcher(option).matches())) {
      options.addAll(COMPILER);
    }
    if (given.stream().noneMatch(option -> USERS_COLLECTOR.matcher(option).matches())) {
      options.addAll(COLLECTOR);
    }
    return options;
  }

  /**
   * The command that would start this process anew with better options; empty where these are good,
   * the user has set options in his environment (the JVM would tell so a second time), or the
   * process was started in a way that cannot be repeated.
   *
   * @param java the executable of this process
   * @param words this process's command line
   */
  static Optional<List<String>> again(
      Launcher.Arguments arguments,
      boolean cuda,
      Path java,
      List<String> words,
      Map<String, String> environment) {
    int end = words.indexOf("-jar");
    if (end < 0) {
      end = words.indexOf(Launcher.class.getName());
    }
    boolean set = VARIABLES.stream().anyMatch(environment::containsKey);
    if (end < 1 || set || !java.endsWith(Path.of("bin", "java"))) {
      return Optional.empty();
    }
    List<String> given = words.subList(1, end);
    List<String> chosen = chosen(arguments, cuda, given);
    if (chosen.isEmpty() || given.stream().anyMatch(option -> AGENT.matcher(option).matches())) {
      return Optional.empty();
    }
    List<String> command = new ArrayList<>(List.of(java.toString()));
    command.addAll(chosen);
    command.add("-D" + CHOSEN + "=true");
    command.addAll(words.subList(1, words.size()));
    return Optional.of(command);
  }

  /** {@link #again} of this process; each char of a word stands for a byte. */
  static Optional<List<String>> again(Launcher.Arguments arguments, boolean cuda) {
    try {
      String line =
          new String(
              Files.readAllBytes(Path.of("/proc/self/cmdline")), StandardCharsets.ISO_8859_1);
      Path java = Path.of("/proc/self/exe").toRealPath();
      List<String> words = List.of(line.split("\0"));
      return again(arguments, cuda, java, words, System.getenv());
    } catch (IOException e) {
      return Optional.empty(); // no /proc: the JVM that runs will do
    }
  }
}
