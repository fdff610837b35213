package bridge.model;

import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.torch.Device;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Time and memory of loading one checkpoint, in a process of its own; no test. {@code
 * tests/peer/bench_load.py} runs it beside torch.load.
 */
final class LoadBenchmark {
  private LoadBenchmark() {}

  /**
   * Prints one line of JSON: seconds, and how far the process's peak of resident memory rose.
   *
   * @param arguments {@code read} or the architecture to load into, and the file
   */
  public static void main(String[] arguments) throws IOException {
    Natives.load();
    Path file = Path.of(arguments[1]);
    long before = peak();
    long begin = System.nanoTime();
    double seconds;
    try (Scope _ = Scope.open("benchmark")) {
      if (arguments[0].equals("read")) {
        try (StateDict read = Checkpoints.read(file)) {
          seconds = (System.nanoTime() - begin) / 1e9;
          read.tensors().values().forEach(t -> t.sum().item()); // all of it, mapped
        }
      } else {
        var spec = ModelSpec.parse(arguments[0] + "@" + file);
        Models.build(spec, 3, 10, 32, Normalisation.NONE, new Seeds(1), Device.CPU);
        seconds = (System.nanoTime() - begin) / 1e9;
      }
    }
    System.out.printf(
        Locale.ROOT,
        "{\"seconds\": %.3f, \"peak_rise\": %d, \"peak\": %d}%n",
        seconds,
        peak() - before,
        peak());
  }

  private static long peak() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmHWM:"))
        .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }
}
