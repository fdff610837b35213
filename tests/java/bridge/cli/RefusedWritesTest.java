package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever cannot be written is one line about the file and the disk, never about Java. */
class RefusedWritesTest {
  private static final String TEACHER = "models/fmnist-vgg.pt";
  private static final String WEIGHTS = "models/fmnist-vgg.pth";

  @TempDir Path folder;

  private static String refused(int status, Path file, String... args) {
    Console.Ran ran = Console.run(args);
    assertEquals(1, ran.err().lines().count(), ran.err());
    assertTrue(ran.err().startsWith("bridge: "), ran.err());
    assertTrue(ran.err().contains(file.toString()), ran.err());
    assertTrue(ran.err().contains("cannot be written"), ran.err());
    for (String never : List.of("Exception", "java", "internal error", "null")) {
      assertFalse(ran.err().contains(never), ran.err());
    }
    assertEquals(status, ran.status(), ran.err());
    return ran.err();
  }

  @ParameterizedTest
  @ValueSource(strings = {"--json", "--outcomes", "--save-images", "--picture"})
  void filesOfEvaluate(String option) {
    Path file = folder.resolve("missing/x.safetensors");
    String message =
        refused(
            2,
            file,
            "evaluate",
            "--model=" + TEACHER,
            "--data=fashion-mnist-mini",
            "--limit=10",
            option + "=" + file);
    assertTrue(message.contains("there is no folder " + file.getParent()), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--json", "--markdown", "--html"})
  void filesOfLeaderboard(String option) throws IOException {
    Path evaluation = folder.resolve("a.json");
    Files.writeString(
        evaluation,
        "{\"model\":\"a\",\"data\":\"mini\",\"results\":[{\"attack\":\"clean\",\"accuracy\":1}]}");
    Path file = folder.resolve("missing/x.html");
    String missing = refused(1, file, "leaderboard", evaluation.toString(), option + "=" + file);
    assertTrue(missing.contains("there is no folder " + file.getParent()), missing);
    String occupied = refused(1, folder, "leaderboard", evaluation.toString(), option, "" + folder);
    assertTrue(occupied.contains("it is a folder; name a file"), occupied);
  }

  @ParameterizedTest
  @ValueSource(strings = {"x.pth", "x.safetensors"})
  void convertedCheckpoints(String name) {
    Path file = folder.resolve("missing").resolve(name);
    String message = refused(1, file, "convert", WEIGHTS, file.toString());
    assertTrue(message.contains("there is no folder " + file.getParent()), message);
  }

  @Test
  void cardsDoNotReplaceOthers() throws IOException {
    Path file = Files.copy(Path.of(WEIGHTS), folder.resolve("net.pth"));
    Path card = Files.createDirectory(folder.resolve("net.json"));
    String message = refused(2, card, "inspect", file.toString(), "--write-card");
    assertTrue(message.contains("it exists already"), message);
  }

  // ---- training ------------------------------------------------------------------------------

  private String[] train(Path run) {
    List<String> args =
        new ArrayList<>(List.of("train", "quickstart", "--out=" + run, "--max-steps=1"));
    for (String set :
        List.of(
            "student.model=resnet8:width=4,stride=2",
            "teachers=[{\"model\":\"" + TEACHER + "\"}]",
            "attack.steps=1",
            "batch=50")) {
      args.addAll(List.of("--set", set));
    }
    return args.toArray(String[]::new);
  }

  @ParameterizedTest
  @ValueSource(strings = {"environment.json", "metrics.jsonl", "log.txt", "report.html"})
  void filesOfARun(String name) throws IOException {
    Path run = folder.resolve("run");
    Path file = Files.createDirectories(run.resolve(name));
    String message = refused(1, file, train(run));
    assertTrue(message.contains("it is a folder; name a file"), message);
  }

  @Test
  void stateOfARun() throws IOException {
    Path run = Files.createDirectory(folder.resolve("run"));
    Path file = Files.writeString(run.resolve("last"), "");
    String message = refused(1, file, train(run));
    assertTrue(message.contains(file + " is a file, not a folder"), message);
  }

  @Test
  void fullDiskWhileTraining() throws IOException {
    assumeTrue(Files.exists(Path.of("/dev/full")), "no /dev/full");
    Path run = Files.createDirectory(folder.resolve("run"));
    Path file = Files.createSymbolicLink(run.resolve("log.txt"), Path.of("/dev/full"));
    String message = refused(1, file, train(run));
    assertTrue(message.contains("the disk is full; free space"), message);
  }
}
