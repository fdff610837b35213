package bridge.cli;

import bridge.files.AppendedFile;
import bridge.report.EventFile;
import bridge.report.MetricsLog;
import bridge.report.Progress;
import bridge.torch.Natives;
import bridge.train.Listener;
import bridge.train.RunFolder;
import com.google.gson.JsonObject;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Writes what happens in a run to the console, metrics.jsonl, TensorBoard's file and log.txt. */
final class RunLog implements Listener, AutoCloseable {
  private final RunFolder folder;
  private final JsonObject environment;
  private Progress progress;
  private MetricsLog metrics;
  private EventFile events;

  RunLog(RunFolder folder, JsonObject environment) {
    this.folder = folder;
    this.environment = environment;
  }

  @Override
  public void start(Start start) {
    folder.writeJson("environment.json", environment);
    boolean starting = start.fromStep() == 0;
    metrics =
        starting
            ? MetricsLog.create(folder.file("metrics.jsonl"))
            : MetricsLog.resume(folder.file("metrics.jsonl"), start.fromStep());
    events =
        starting
            ? EventFile.create(folder.path())
            : EventFile.resume(folder.path(), start.fromStep());
    message(
        "%s: %d epochs of %d steps, batch %d%s"
            .formatted(
                folder.path(),
                start.epochs(),
                start.stepsPerEpoch(),
                start.batch(),
                starting ? "" : ", resumed after step " + start.fromStep()));
    progress =
        Progress.start(
            System.out,
            Progress.onTerminal(),
            start.epochs(),
            start.stepsPerEpoch(),
            start.batch());
    progress.resumed(start.fromStep());
    Shutdown.waitsForState(() -> message("stopping as soon as the state is saved"));
  }

  @Override
  public boolean due() {
    return progress.due();
  }

  @Override
  public void step(Step step) {
    if (step.logged()) {
      Map<String, Double> time = Map.of("resident_mb", Natives.residentBytes() / 1e6);
      metrics.step(step.step(), step.epoch(), step.learningRate(), step.loss(), time);
      Map<String, Double> scalars = new LinkedHashMap<>();
      step.loss().forEach((name, value) -> scalars.put("loss/" + name, value));
      scalars.put("lr", step.learningRate());
      events.scalars(step.step(), scalars);
    }
    if (progress.due(step.step())) {
      progress.step(step.epoch(), step.step(), step.loss(), step.learningRate());
    }
  }

  @Override
  public void epoch(Epoch epoch) {
    Map<String, Double> time = new LinkedHashMap<>();
    time.put("seconds", epoch.seconds());
    time.put("images_per_second", epoch.imagesPerSecond());
    time.put("resident_mb", Natives.residentBytes() / 1e6);
    metrics.epoch(
        epoch.step(), epoch.epoch(), epoch.loss(), epoch.validation(), epoch.method(), time);
    Map<String, Double> scalars = new LinkedHashMap<>();
    epoch.loss().forEach((name, value) -> scalars.put("epoch/" + name, value));
    epoch.validation().forEach((name, value) -> scalars.put("validation/" + name, value));
    epoch.method().forEach((name, value) -> scalars.put("method/" + name, value));
    time.forEach((name, value) -> scalars.put("time/" + name, value));
    events.scalars(epoch.step(), scalars);
    Map<String, String> summary = summary(epoch);
    progress.epochDone(epoch.epoch(), summary);
    log("epoch " + epoch.epoch() + " " + summary);
  }

  private static Map<String, String> summary(Epoch epoch) {
    Map<String, String> summary = new LinkedHashMap<>();
    summary.put("loss", "%.4f".formatted(epoch.loss().get("total")));
    epoch
        .validation()
        .forEach(
            (name, value) -> summary.put(name, String.format(Locale.ROOT, "%.2f%%", 100 * value)));
    epoch
        .method()
        .forEach((name, value) -> summary.put(name, String.format(Locale.ROOT, "%.3f", value)));
    summary.put("time", String.format(Locale.ROOT, "%.1fs", epoch.seconds()));
    if (epoch.best()) {
      summary.put("best", "so far");
    }
    return summary;
  }

  @Override
  public void message(String line) {
    if (progress == null) {
      System.out.println(line);
    } else {
      progress.message(line);
    }
    log(line);
  }

  private void log(String line) {
    AppendedFile.append(
        folder.file("log.txt"),
        Instant.now().truncatedTo(ChronoUnit.SECONDS) + " " + line + System.lineSeparator());
  }

  @Override
  public void close() {
    if (progress != null) {
      progress.close();
      metrics.close();
      events.close();
    }
  }
}
