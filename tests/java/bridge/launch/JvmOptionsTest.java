package bridge.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which options the JVM is given for what, and that the user's own count more. */
class JvmOptionsTest {
  private static final Path JAVA = Path.of("/usr/lib/jvm/25/bin/java");
  private static final List<String> SERIAL = List.of("-XX:+UseSerialGC", "-Xmn8m");

  private static Launcher.Arguments arguments(String... words) {
    try {
      return Launcher.Arguments.of(words);
    } catch (Launcher.Refusal e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> chosen(List<String> given, String... words) {
    return JvmOptions.chosen(arguments(words), false, given);
  }

  private static Optional<List<String>> again(String... words) {
    return JvmOptions.again(
        arguments("train", "quickstart"), false, JAVA, List.of(words), Map.of());
  }

  @Test
  void onlyWhatComputesOnTheProcessorGetsOptions() {
    for (String command : List.of("train", "evaluate", "bench")) {
      List<String> options = chosen(List.of(), command, "x");
      assertTrue(options.containsAll(SERIAL), options::toString);
      assertTrue(options.stream().anyMatch(o -> o.startsWith("-XX:Tier4")), options::toString);
      assertEquals(List.of(), JvmOptions.chosen(arguments(command, "x"), true, List.of()), "CUDA");
      assertEquals(List.of(), chosen(List.of(), command, "--help"));
    }
    assertEquals(List.of(), chosen(List.of(), "recipes"));
    assertEquals(List.of(), chosen(List.of(), "inspect", "train"));
    assertEquals(List.of(), chosen(List.of()));
  }

  /** C2 stays: without it batches are filled and checkpoints hashed many times as slowly. */
  @Test
  void theCompilerIsDelayedButNotTakenAway() {
    assertTrue(chosen(List.of(), "train").stream().noneMatch(o -> o.contains("TieredStopAtLevel")));
  }

  /** Two collectors on one command line, and the JVM would not start. */
  @Test
  void theUsersOwnOptionsCountMore() {
    for (String own : List.of("-XX:+UseG1GC", "-XX:+UseZGC", "-Xmn64m", "-XX:NewRatio=3")) {
      List<String> options = chosen(List.of("-Xmx4g", own), "train");
      assertTrue(options.stream().noneMatch(SERIAL::contains), own);
      assertTrue(options.stream().anyMatch(o -> o.startsWith("-XX:Tier4")), own);
    }
    for (String own : List.of("-XX:TieredStopAtLevel=1", "-Xint", "-XX:-TieredCompilation")) {
      assertEquals(SERIAL, chosen(List.of(own), "train"), own);
    }
    assertTrue(chosen(List.of("-Xmx4g", "-Dx=-Xint"), "train").containsAll(SERIAL));
  }

  @Test
  void theCommandLineIsRepeatedWithTheOptionsFirst() {
    List<String> command =
        again("java", "-Xmx4g", "-jar", "a b.jar", "train", "-Xint").orElseThrow();
    assertEquals(JAVA.toString(), command.getFirst());
    assertEquals(
        List.of("-D" + JvmOptions.CHOSEN + "=true", "-Xmx4g", "-jar", "a b.jar", "train", "-Xint"),
        command.subList(command.size() - 6, command.size()));
    List<String> main = again("java", "-cp", "x", Launcher.class.getName(), "train").orElseThrow();
    assertEquals(Launcher.class.getName(), main.get(main.size() - 2));
  }

  @Test
  void whatCannotBeRepeatedGoesOnAsItIs() {
    assertTrue(again("java", "-jar", "b.jar", "train").isPresent());
    assertEquals(Optional.empty(), again("java", "-cp", "x", "other.Main", "train"));
    for (String agent : List.of("-agentlib:jdwp=server=y", "-javaagent:a.jar")) {
      assertEquals(Optional.empty(), again("java", agent, "-jar", "b.jar", "train"), agent);
    }
    List<String> words = List.of("java", "-jar", "b.jar", "train");
    Launcher.Arguments train = arguments("train");
    assertEquals(
        Optional.empty(),
        JvmOptions.again(train, false, Path.of("/opt/app/bin/app"), words, Map.of()));
    for (String variable : List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")) {
      assertEquals(
          Optional.empty(),
          JvmOptions.again(train, false, JAVA, words, Map.of(variable, "-Xmx1g")),
          variable);
    }
    List<String> own = new ArrayList<>(words);
    own.addAll(1, List.of("-Xint", "-XX:+UseG1GC"));
    assertEquals(Optional.empty(), JvmOptions.again(train, false, JAVA, own, Map.of()));
  }
}
