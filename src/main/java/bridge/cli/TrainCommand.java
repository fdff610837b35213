package bridge.cli;

import bridge.report.HtmlReport;
import bridge.torch.Device;
import bridge.train.EvaluatedStudent;
import bridge.train.Recipe;
import bridge.train.Recipes;
import bridge.train.RunFolder;
import bridge.train.Trainer;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Trains a student by a recipe. */
@Command(
    name = "train",
    sortOptions = false,
    description = "Trains a student by a recipe; Ctrl-C saves, --resume goes on.")
final class TrainCommand implements Callable<Integer> {
  @Parameters(paramLabel = "RECIPE", description = "A built-in recipe's name or a JSON file.")
  private String recipe;

  @Option(names = "--out", paramLabel = "DIR", description = "Run folder (runs/NAME).")
  private Path out;

  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description = "Changes a value of the recipe: epochs=2, attack.epsilon=8/255.")
  private List<String> sets = new ArrayList<>();

  @Option(names = "--resume", description = "Goes on with the run in the folder, if there is one.")
  private boolean resume;

  @Mixin private ComputeOptions compute;

  @Option(names = "--seed", paramLabel = "N", description = "The recipe's seed.")
  private Long seed;

  @Option(
      names = "--max-steps",
      paramLabel = "N",
      description = "Stops after so many steps of the run, its state saved.")
  private Long maxSteps;

  @Override
  public Integer call() {
    Recipe parsed = Recipe.from(json());
    compute.check();
    OptionChecks.positive("--max-steps", maxSteps);
    Path path = out == null ? Path.of("runs", parsed.name()) : out;
    try (RunFolder folder = RunFolder.open(path, resume)) {
      Shutdown.endsAtOnce(folder::close);
      Device on = compute.use();
      try (RunLog log = new RunLog(folder, Environment.json(on))) {
        long limit = maxSteps == null ? Long.MAX_VALUE : maxSteps;
        Trainer.Result result = Trainer.train(parsed, folder, on, limit, Shutdown::requested, log);
        return end(result, parsed, folder, log);
      }
    }
  }

  private JsonObject json() {
    JsonObject json = Recipes.load(recipe);
    sets.forEach(set -> Recipes.set(json, set));
    if (seed != null) {
      json.addProperty("seed", seed);
    }
    return json;
  }

  private static int end(Trainer.Result result, Recipe parsed, RunFolder folder, RunLog log) {
    switch (result.outcome()) {
      case STOPPED -> {
        log.message("stopped, state saved; go on with --resume");
        return Main.STOPPED;
      }
      case STEPS_DONE -> log.message("stopped after --max-steps, state saved; go on with --resume");
      case FINISHED -> {
        folder.writeJson("evaluation.json", Tables.evaluation(result.students(), parsed));
        for (EvaluatedStudent student : result.students()) {
          log.message(Tables.text(folder.file(student.file()).toString(), student.results()));
        }
      }
    }
    HtmlReport.write(folder.path());
    log.message("run folder " + folder.path());
    return 0;
  }
}
