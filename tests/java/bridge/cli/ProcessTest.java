package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program as a process of its own: signals, statuses, and that a stopped run loses nothing. */
@Tag("slow")
class ProcessTest {
  private static final long PATIENCE_SECONDS = 120;

  @TempDir Path folder;
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void endAll() {
    started.forEach(Process::destroyForcibly);
  }

  private Path output() {
    return folder.resolve("output.txt");
  }

  private String text() {
    try {
      return Files.exists(output()) ? Files.readString(output()) : "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process start(Map<String, String> properties, String... args) throws IOException {
    Files.deleteIfExists(output());
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx1g"));
    properties.forEach((name, value) -> command.add("-D" + name + "=" + value));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), "bridge.cli.Main"));
    command.addAll(Arrays.asList(args));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output().toFile());
    builder.environment().put("OMP_NUM_THREADS", "1");
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private int end(Process process) throws InterruptedException {
    assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), () -> "hangs: " + text());
    return process.exitValue();
  }

  private int run(String... args) throws IOException, InterruptedException {
    return end(start(Map.of(), args));
  }

  private void await(Process process, BooleanSupplier condition) throws InterruptedException {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!condition.getAsBoolean()) {
      assertTrue(process.isAlive(), () -> "ended early: " + text());
      assertTrue(System.nanoTime() < until, () -> "waited in vain: " + text());
      Thread.sleep(20);
    }
  }

  /** Two epochs of ten steps. */
  private String[] train(Path out, String... more) {
    List<String> args =
        new ArrayList<>(List.of("train", "quickstart", "--out", out.toString(), "--threads", "1"));
    for (String set :
        List.of(
            "student.model=resnet8:width=4,stride=2",
            "teachers=[{\"model\":\"models/fmnist-vgg.pt\"},{\"model\":\"models/fmnist-resnet.pt\"}]",
            "epochs=2",
            "batch=250",
            "attack.steps=2",
            "average.name=EMA",
            "average.batchNormBatches=2",
            "select.validation=2500",
            "select.steps=1",
            "evaluate.attacks=[\"clean\",\"fgsm\"]",
            "evaluate.limit=100")) {
      args.addAll(List.of("--set", set));
    }
    args.addAll(Arrays.asList(more));
    return args.toArray(String[]::new);
  }

  @Test
  void stoppedAndKilledRunEqualsOneThatWasNot() throws Exception {
    Path whole = folder.resolve("whole");
    assertEquals(0, run(train(whole)), text());
    assertFalse(text().contains("WARNING"), text());

    Path run = folder.resolve("run");
    Process stopped = start(Map.of(), train(run));
    await(stopped, () -> text().contains("step 1/"));
    stopped.destroy();
    stopped.destroy(); // an impatient user
    assertEquals(130, end(stopped), text());
    assertTrue(text().contains("stopping as soon as the state is saved"), text());
    assertTrue(text().endsWith("stopped, state saved; go on with --resume\n"), text());
    assertFalse(Files.exists(run.resolve("best.pth")));

    Process killed = start(Map.of(), train(run, "--resume"));
    await(killed, () -> text().contains("epoch 1/2 done"));
    killed.destroyForcibly();
    assertEquals(137, end(killed), text());
    assertFalse(Files.exists(run.resolve("evaluation.json")), "killed too late");

    assertEquals(0, run(train(run, "--resume")), text());
    assertEquals(lines(whole), lines(run));
    for (String file : List.of("best.pth", "last.pth", "last/state.safetensors", "recipe.json")) {
      assertEquals(-1, Files.mismatch(whole.resolve(file), run.resolve(file)), file);
    }
    assertEquals(List.of(), leftOver(run));
  }

  /** metrics.jsonl without what is measured by the clock. */
  private static List<JsonObject> lines(Path run) throws IOException {
    List<JsonObject> lines = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
      JsonObject json = JsonParser.parseString(line).getAsJsonObject();
      json.remove("time");
      lines.add(json);
    }
    assertEquals(4, lines.size());
    return lines;
  }

  private static List<Path> leftOver(Path run) throws IOException {
    try (var files = Files.walk(run)) {
      return files.filter(file -> file.toString().endsWith(".part")).toList();
    }
  }

  @Test
  void signalWhileLoadingEndsAtOnceAndLeavesNothing() throws Exception {
    Path pipe = folder.resolve("pipe.pt");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    Path run = folder.resolve("run");
    // nobody writes into the pipe, so that loading the teacher takes for ever
    Process loading = start(Map.of(), train(run, "--set", "teachers[0].model=" + pipe));
    await(loading, () -> Files.exists(run));
    await(loading, () -> cpuSeconds(loading) > 1);
    loading.destroy();
    assertTrue(loading.waitFor(10, TimeUnit.SECONDS));
    assertEquals(130, loading.exitValue());
    assertEquals("", text());
    assertFalse(Files.exists(run));
  }

  @Test
  void signalWhileEvaluatingEndsAtOnce() throws Exception {
    String attacks = "pgd20" + ",pgd20".repeat(50);
    Process evaluating =
        start(
            Map.of(),
            "evaluate",
            "--model=models/fmnist-resnet.pt",
            "--data=fashion-mnist-mini",
            "--threads=1",
            "--attacks=" + attacks);
    await(evaluating, () -> cpuSeconds(evaluating) > 4);
    evaluating.destroy();
    assertTrue(evaluating.waitFor(10, TimeUnit.SECONDS));
    assertEquals(130, evaluating.exitValue());
    assertEquals("", text());
  }

  @Test
  void killedAndStoppedEvaluationEqualsOneThatWasNot() throws Exception {
    Path whole = folder.resolve("whole.csv");
    Path resumed = folder.resolve("resumed.csv");
    Path state = folder.resolve("state");
    assertEquals(0, run(evaluate(whole)), text());

    Process killed = start(Map.of(), evaluate(resumed, "--state=" + state));
    await(killed, () -> batches(state) > 3);
    killed.destroyForcibly();
    assertEquals(137, end(killed), text());

    int before = batches(state);
    Process stopped = start(Map.of(), evaluate(resumed, "--state=" + state));
    await(stopped, () -> batches(state) > before + 2);
    stopped.destroy();
    assertEquals(130, end(stopped), text());
    assertFalse(Files.exists(resumed), "stopped too late");

    assertEquals(0, run(evaluate(resumed, "--state=" + state)), text());
    assertEquals(-1, Files.mismatch(whole, resumed));
    assertEquals(3 * 12, batches(state));
  }

  /** Three attacks of twelve batches each. */
  private static String[] evaluate(Path outcomes, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "evaluate",
                "--model=models/fmnist-resnet.pt",
                "--data=fashion-mnist-mini",
                "--threads=1",
                "--limit=120",
                "--batch=10",
                "--attacks=clean,pgd20,cw30",
                "--outcomes=" + outcomes));
    args.addAll(Arrays.asList(more));
    return args.toArray(String[]::new);
  }

  /** How many batches are known, the line of settings not counted. */
  private static int batches(Path state) {
    Path lines = state.resolve("evaluation.jsonl");
    try {
      String text = Files.exists(lines) ? Files.readString(lines) : "";
      return (int) text.chars().filter(c -> c == '\n').count() - 1;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static double cpuSeconds(Process process) {
    return process.info().totalCpuDuration().orElse(Duration.ZERO).toMillis() / 1e3;
  }

  @Test
  void badInputIsOneLineAndAStatus() throws Exception {
    assertEquals(2, run("train", "quickstart", "--set", "batchsize=3"));
    assertTrue(text().startsWith("bridge: unknown key batchsize"), text());
    assertEquals(1, text().lines().count(), text());
    assertEquals(2, run("--nonsense"));
    assertEquals(1, text().lines().count(), text());
  }

  @Test
  void doctorAnswersWhereNativesCannotBeUnpacked() throws Exception {
    Process doctor =
        start(
            Map.of(
                "org.bytedeco.javacpp.cachedir",
                "/proc/nowhere",
                "user.home",
                "/proc",
                "java.io.tmpdir",
                "/proc"),
            "doctor");
    assertEquals(1, end(doctor), text());
    assertTrue(text().contains("NO  libtorch"), text());
    assertTrue(text().contains("-Dorg.bytedeco.javacpp.cachedir=FOLDER"), text());
    assertTrue(text().contains("ok  fashion-mnist-mini"), text());
    assertFalse(text().contains("\tat "), text());
  }
}
