package bridge.cli;

import bridge.torch.Device;
import bridge.torch.Natives;
import bridge.train.AttackBenchmark;
import bridge.train.Recipe;
import bridge.train.Spread;
import bridge.train.StepBenchmark;
import java.util.Arrays;
import java.util.Locale;

/** What {@code bench} prints. */
final class BenchTable {
  private static final double GIGA = 1e9;
  private static final double MEBI = 1 << 20;

  private final StringBuilder text = new StringBuilder();

  private BenchTable() {}

  static String of(Recipe recipe, Device device, StepBenchmark.Result result) {
    BenchTable table = new BenchTable();
    table.title(recipe, device, "batch %d of %s".formatted(result.batch(), shape(result.shape())));
    table.data(recipe, result.randomImages());
    table.stages(result);
    table.line("images/s", spread(result.imagesPerSecond(), 1, 1));
    table.operations(result);
    table.memory(result.peakBytes());
    table.line(
        "host",
        result.host() == null
            ? "not told apart on the processor, where a call returns when its work is done"
            : "%.3f ms/step, %.2f µs/launch, nothing waited for"
                .formatted(1e3 * result.host().perStep(), 1e6 * result.host().perLaunch()));
    return table.text.toString();
  }

  static String of(Recipe recipe, String attack, Device device, AttackBenchmark.Result result) {
    BenchTable table = new BenchTable();
    table.title(recipe, device, "%s on a batch of %d".formatted(attack, result.images()));
    table.data(recipe, result.randomImages());
    table.line("s/batch", spread(Spread.of(result.seconds()), 1, 3));
    table.line("images/s", spread(result.imagesPerSecond(), 1, 1));
    table.line("broken", "%d of %d images".formatted(result.broken(), result.images()));
    table.memory(result.peakBytes());
    return table.text.toString();
  }

  private void title(Recipe recipe, Device device, String what) {
    text.append(
        "%s, %s; %s%s, %s\n"
            .formatted(
                recipe.name(),
                what,
                device,
                device.isCuda() ? "" : ", threads " + Natives.threads(),
                recipe.engine().on(device)));
  }

  private void data(Recipe recipe, boolean random) {
    if (random) {
      line("data", "%s is not there: random images of its shape".formatted(recipe.data()));
    }
  }

  private void stages(StepBenchmark.Result result) {
    StepBenchmark.Split split = result.split();
    line(
        "steps",
        "%d measured after %d to warm up".formatted(result.seconds().size(), result.warmUp()));
    split.seconds().forEach((stage, seconds) -> stage(stage.toString(), seconds, split.step()));
    stage("rest", split.rest(), split.step());
    line("ms/step", spread(Spread.of(result.seconds()), 1e3, 2));
  }

  private void stage(String name, double seconds, double step) {
    text.append(
        String.format(
            Locale.ROOT,
            "    %-10s %10.2f ms %6.1f %%%n",
            name,
            1e3 * seconds,
            100 * seconds / step));
  }

  private void operations(StepBenchmark.Result result) {
    double highest = result.peak().highest();
    if (result.work().perImage() > 0) {
      line(
          "GFLOP/s",
          "%.1f, %.0f %% of the machine's %.1f"
              .formatted(
                  result.operationsPerSecond() / GIGA,
                  100 * result.operationsPerSecond() / highest,
                  highest / GIGA));
    }
    line(
        "peak",
        "%.1f GFLOP/s in a product of matrices, %.1f in a convolution"
            .formatted(result.peak().product() / GIGA, result.peak().convolution() / GIGA));
    if (!result.work().notCounted().isEmpty()) {
      line("uncounted", String.join(", ", result.work().notCounted()));
    }
  }

  private void memory(long bytes) {
    line("memory", "%.0f MiB resident at the most".formatted(bytes / MEBI));
  }

  private void line(String name, String value) {
    text.append(String.format(Locale.ROOT, "  %-10s %s%n", name, value));
  }

  /** The median, and between which values the middle half lies. */
  private static String spread(Spread spread, double unit, int digits) {
    String number = "%." + digits + "f";
    return String.format(
        Locale.ROOT,
        "%s (%s to %s)".formatted(number, number, number),
        unit * spread.median(),
        unit * spread.low(),
        unit * spread.high());
  }

  private static String shape(long[] shape) {
    return Arrays.toString(shape);
  }
}
