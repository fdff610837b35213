package bridge.cli;

import bridge.Json;
import bridge.evaluate.AttackNames;
import bridge.files.WholeFile;
import bridge.torch.Device;
import bridge.train.AttackBenchmark;
import bridge.train.Recipe;
import bridge.train.Recipes;
import bridge.train.StepBenchmark;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Measures a recipe's training step, or an attack on its student. */
@Command(
    name = "bench",
    sortOptions = false,
    description =
        "Measures a recipe's training step by its stages, against what the machine can do; needs no"
            + " data set.")
final class BenchCommand implements Runnable {
  @Parameters(
      paramLabel = "RECIPE",
      arity = "0..1",
      defaultValue = "quickstart",
      description = "A built-in recipe's name or a JSON file (${DEFAULT-VALUE}).")
  private String recipe;

  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description = "Changes a value of the recipe: batch=64, student.model=resnet18.")
  private List<String> sets = new ArrayList<>();

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Measured steps, or batches attacked (about half a minute's).")
  private Integer steps;

  @Option(
      names = "--attack",
      paramLabel = "NAME",
      description = "Measures this attack of evaluate on a batch instead: pgd20, autoattack.")
  private String attack;

  @Mixin private ComputeOptions compute;

  @Option(names = "--json", paramLabel = "FILE", description = "Writes all that was measured.")
  private Path json;

  @Override
  public void run() {
    JsonObject settings = Recipes.load(recipe);
    sets.forEach(set -> Recipes.set(settings, set));
    Recipe parsed = Recipe.from(settings);
    OptionChecks.positive("--steps", steps);
    compute.check();
    OptionChecks.writable("--json", json);
    if (attack != null) {
      AttackNames.named(attack, parsed.attack().ball());
    }
    Device device = compute.use();
    OptionalInt times = steps == null ? OptionalInt.empty() : OptionalInt.of(steps);
    if (attack == null) {
      StepBenchmark.Result result = StepBenchmark.measure(parsed, device, times);
      System.out.print(BenchTable.of(parsed, device, result));
      write(BenchFile.of(parsed, device, result));
    } else {
      AttackBenchmark.Result result = AttackBenchmark.measure(parsed, attack, device, times);
      System.out.print(BenchTable.of(parsed, attack, device, result));
      write(BenchFile.of(parsed, attack, device, result));
    }
  }

  private void write(BenchFile content) {
    if (json != null) {
      WholeFile.write(json, Json.write(content) + "\n");
    }
  }
}
