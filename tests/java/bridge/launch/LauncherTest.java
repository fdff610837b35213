package bridge.launch;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher, also end to end: started by an older Java, with a program that only says how. */
class LauncherTest {
  private static final String PROGRAM =
      """
      package bridge.cli;

      public final class Main {
        public static void main(String... args) throws Exception {
          System.out.println(Runtime.version().feature() + " " + String.join("|", args));
          System.out.println(System.getProperty("given"));
          System.out.println(Runtime.getRuntime().maxMemory() >> 20);
          System.out.println(System.getProperty("org.bytedeco.javacpp.maxPhysicalBytes"));
          System.out.println("pid " + ProcessHandle.current().pid());
          if (args[0].equals("wait")) {
            Thread saving = new Thread(() -> {
              System.out.println("saved");
              Runtime.getRuntime().halt(130);
            });
            Runtime.getRuntime().addShutdownHook(saving);
            System.out.println("ready");
            Thread.sleep(60_000);
          }
          System.out.println(System.getProperty("bridge.jvm.chosen"));
          System.out.println(java.lang.management.ManagementFactory.getRuntimeMXBean()
              .getInputArguments().contains("-XX:+UseSerialGC"));
          System.exit(args[0].matches("\\\\d+") ? Integer.parseInt(args[0]) : args.length);
        }
      }
      """;

  @TempDir Path folder;
  private Path classes;

  @BeforeEach
  void programInAFolderWithASpace() throws IOException {
    classes = folder.resolve("a b");
    for (String part : List.of("bridge/launch", "bridge/torch")) {
      Files.createDirectories(classes.resolve(part));
      try (Stream<Path> all = Files.list(builtClasses().resolve(part))) {
        for (Path file : all.toList()) {
          String name = file.getFileName().toString();
          if (part.endsWith("launch")
              || name.startsWith("ParentDeath")
              || name.startsWith("SameProcess")
              || name.startsWith("CLibrary")) {
            Files.copy(file, classes.resolve(part).resolve(name));
          }
        }
      }
    }
    Path source = Files.writeString(folder.resolve("Main.java"), PROGRAM);
    int failed =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, "-d", classes.toString(), source.toString());
    assertEquals(0, failed);
  }

  @Test
  void isOfJava17AndStandsAlone() throws IOException {
    byte[] launcher = Files.readAllBytes(classes.resolve("bridge/launch/Launcher.class"));
    assertEquals(61, launcher[7]);
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("java..", "bridge.launch")
        .check(new ClassFileImporter().importPath(classes.resolve("bridge/launch")));
  }

  @Test
  void ownOptionIsTakenFromAnywhereOnTheCommandLine() throws Launcher.Refusal {
    var none = Launcher.Arguments.of("train", "quickstart", "--", "--cuda-libs", "x");
    assertEquals(List.of("train", "quickstart", "--", "--cuda-libs", "x"), none.rest());
    for (var some :
        List.of(
            Launcher.Arguments.of("--cuda-libs", "/a b:/c", "train", "quickstart"),
            Launcher.Arguments.of("train", "--cuda-libs=/a b:/c", "quickstart"),
            Launcher.Arguments.of("train", "quickstart", "--cuda-libs", "/a b:/c"))) {
      assertEquals(List.of("train", "quickstart"), some.rest());
      assertEquals("/a b:/c", some.cudaLibs());
    }
    assertThrows(Launcher.Refusal.class, () -> Launcher.Arguments.of("train", "--cuda-libs"));
  }

  @Test
  void commandsThatAnswerWithoutTorchAreKnown() throws Launcher.Refusal {
    assertTrue(Launcher.Arguments.of("train", "quickstart").needTorch());
    assertTrue(Launcher.Arguments.of("--debug", "evaluate").needTorch());
    assertFalse(Launcher.Arguments.of().needTorch());
    assertFalse(Launcher.Arguments.of("doctor", "--json").needTorch());
    assertFalse(Launcher.Arguments.of("leaderboard", "runs/a").needTorch());
    assertFalse(Launcher.Arguments.of("train", "--help").needTorch());
  }

  @Test
  void olderJavaStartsANewerOneAndPassesEverythingOn() throws Exception {
    Process process = start(olderJava(), "7", "a b", "ü");
    List<String> lines = lines(process);
    assertEquals(7, process.waitFor(), lines::toString);
    assertEquals(Runtime.version().feature() + " 7|a b|ü", lines.get(0));
    assertEquals("x y", lines.get(1));
    assertTrue(Integer.parseInt(lines.get(2)) <= 100, lines.get(2));
    assertEquals("0", lines.get(3));
    assertEquals(7, lines.size(), () -> "no warnings: " + lines);
  }

  /** The same process, whose words are repeated byte for byte. */
  @Test
  void trainingBeginsAgainInTheSameProcessWithOptionsForIt() throws Exception {
    Process process = start(Path.of(System.getProperty("java.home")), "train", "a b", "ü");
    List<String> lines = lines(process);
    assertEquals(3, process.waitFor(), lines::toString);
    assertEquals(Runtime.version().feature() + " train|a b|ü", lines.get(0));
    assertEquals("x y", lines.get(1));
    assertEquals("pid " + process.pid(), lines.get(4));
    assertEquals(List.of("true", "true"), lines.subList(5, lines.size()));
  }

  @Test
  void olderJavaGivesTheNewerOneOptionsForTraining() throws Exception {
    Process process = start(olderJava(), "train");
    List<String> lines = lines(process);
    assertEquals(1, process.waitFor(), lines::toString);
    assertEquals(List.of("null", "true"), lines.subList(5, lines.size()));
  }

  @Test
  void newEnoughJavaRunsTheProgramItself() throws Exception {
    Process process = start(Path.of(System.getProperty("java.home")), "3");
    List<String> lines = lines(process);
    assertEquals(3, process.waitFor(), lines::toString);
    assertEquals("pid " + process.pid(), lines.get(4));
  }

  @Test
  void programMaySaveItsStateWhenTheLauncherIsAskedToStop() throws Exception {
    Process process = start(olderJava(), "wait");
    waitUntilReady(process);
    process.toHandle().destroy();
    assertTrue(process.waitFor(20, TimeUnit.SECONDS));
    assertEquals(130, process.exitValue());
    assertEquals("saved", lines(process).getLast());
  }

  @Test
  void programDiesWithAKilledLauncher() throws Exception {
    Process process = start(olderJava(), "wait");
    ProcessHandle program = ProcessHandle.of(waitUntilReady(process)).orElseThrow();
    process.destroyForcibly().waitFor();
    program.onExit().get(10, TimeUnit.SECONDS);
  }

  /** The process id that the program has printed. */
  private static long waitUntilReady(Process process) throws IOException {
    long pid = -1;
    for (String line = "";
        !line.equals("ready");
        line = process.inputReader(StandardCharsets.UTF_8).readLine()) {
      if (line.startsWith("pid ")) {
        pid = Long.parseLong(line.substring(4));
      }
    }
    return pid;
  }

  private static List<String> lines(Process process) {
    return process.inputReader(StandardCharsets.UTF_8).lines().toList();
  }

  private Process start(Path java, String... args) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                java.resolve("bin/java").toString(),
                "-Xmx96m",
                "-Dgiven=x y",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classes.toString(),
                "bridge.launch.Launcher"));
    command.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("BRIDGE_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().put("LC_ALL", "C.UTF-8");
    // Prints a line of its own at every start.
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    return builder.start();
  }

  private static Path olderJava() throws IOException {
    Path usual = Path.of("/usr/lib/jvm");
    if (Files.isDirectory(usual)) {
      try (Stream<Path> all = Files.list(usual)) {
        var older =
            all.flatMap(home -> JavaHomes.read(home).stream())
                .filter(home -> home.version().feature() >= 17 && home.version().feature() < 25)
                .findFirst();
        if (older.isPresent()) {
          return older.get().folder();
        }
      }
    }
    return abort("no Java of 17 to 24 in " + usual);
  }

  private static Path builtClasses() {
    try {
      return Path.of(Launcher.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
