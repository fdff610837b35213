package bridge.train;

import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.evaluate.Evaluation;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.model.ModelCard;
import bridge.model.StateDicts;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Natives;
import bridge.torch.Scope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * The training loop: batches, the attack on the student, the method's loss, the optimiser's step;
 * after each epoch validation, {@code best.pth} and {@code last.pth}.
 *
 * <p>Invariants: every random number is a function of seed and position, so a run that was stopped
 * anywhere and resumed gives, on the processor, the same bits as one that was not. No method, data
 * set or report is known by name here. What is saved is whole: a state holds no number that is not
 * finite, and is written to another name first.
 */
public final class Trainer {
  /** Every so many steps the losses are read and logged; part of the log's meaning, so fixed. */
  private static final int LOG_EVERY = 20;

  /** Seconds between two saved states; when they are saved changes no number. */
  private static final double SAVE_EVERY = 30;

  /** How a run ended. */
  public enum Outcome {
    FINISHED,
    /** {@code --max-steps} came first. */
    STEPS_DONE,
    /** The user asked to stop; the state is saved. */
    STOPPED
  }

  /** Accuracies of the students that a run leaves, by file name. */
  public record Evaluated(String file, List<Evaluation.Result> results) {}

  private final Recipe recipe;
  private final RunFolder folder;
  private final Device device;
  private final long maxSteps;
  private final BooleanSupplier stop;
  private final Listener listener;
  private Position position = Position.BEGINNING;
  private final List<Evaluated> evaluated = new ArrayList<>();
  private long savedAt = System.nanoTime();

  /**
   * @param maxSteps stop after so many steps of the run, saved; {@link Long#MAX_VALUE} for never
   * @param stop asked after every step
   */
  public Trainer(
      Recipe recipe,
      RunFolder folder,
      Device device,
      long maxSteps,
      BooleanSupplier stop,
      Listener listener) {
    this.recipe = recipe;
    this.folder = folder;
    this.device = device;
    this.maxSteps = maxSteps;
    this.stop = stop;
    this.listener = listener;
  }

  /**
   * Trains to the end, or until told to stop, and evaluates what is left. A finished run is only
   * evaluated again, which gives the same numbers.
   *
   * @throws TrainingException if a loss or a weight is no finite number; the state saved last
   *     stands
   */
  public Outcome run() {
    try (Scope run = Scope.open("run");
        Assembly made = new Assembly(recipe, device)) {
      folder.checkSameRecipe(recipe.resolved());
      folder.writeJson("recipe.json", recipe.resolved());
      LossSums sums = new LossSums(run);
      Generator noise = Generator.on(device, recipe.seed);
      TrainingState state = made.state();
      if (Files.exists(folder.state())) {
        position = state.restore(folder.state(), sums::restore);
        made.average.restoreCount(position.averaged());
      }
      long perEpoch = made.batches.stepsPerEpoch();
      listener.start(new Listener.Start(recipe.epochs, perEpoch, recipe.batch, position.step()));
      if (position.step() == 0) {
        made.preflight().forEach(listener::message);
      }
      if (position.epoch() > recipe.epochs) {
        listener.message("all %d epochs are done, only evaluating".formatted(recipe.epochs));
      }
      while (position.epoch() <= recipe.epochs) {
        Optional<Outcome> early = epoch(made, state, sums, noise, perEpoch);
        if (early.isPresent()) {
          return early.get();
        }
      }
      return evaluate(made);
    }
  }

  private Optional<Outcome> epoch(
      Assembly made, TrainingState state, LossSums sums, Generator noise, long perEpoch) {
    long began = System.nanoTime();
    long imagesBefore = position.images();
    made.student.train(true);
    try (Batches.Epoch epoch = made.batches.epoch(position.epoch(), (int) position.stepInEpoch())) {
      while (epoch.hasNext()) {
        if (position.step() >= maxSteps || stop.getAsBoolean()) {
          save(state, sums);
          return Optional.of(position.step() >= maxSteps ? Outcome.STEPS_DONE : Outcome.STOPPED);
        }
        try (Scope _ = Scope.open("step")) {
          step(made, epoch.next(), noise, sums, perEpoch);
        }
        if ((System.nanoTime() - savedAt) / 1e9 > SAVE_EVERY) {
          save(state, sums);
        }
      }
    }
    checkFinite(state, sums);
    try (Scope _ = Scope.open("epoch-end")) {
      endEpoch(made, sums, began, imagesBefore);
    }
    save(state, sums);
    return Optional.empty();
  }

  private void step(Assembly made, Batch batch, Generator noise, LossSums sums, long perEpoch) {
    long step = position.step() + 1;
    double factor = recipe.schedule.factor(position.step(), perEpoch, recipe.epochs);
    Inputs inputs =
        new Inputs(batch.images(), batch.labels(), batch.indices(), position.epoch(), step, factor);
    Natives.seedDefaults(made.seeds.derive("dropout", step));
    noise.seed(made.seeds.derive("attack", step));
    TrainingStep taken = new TrainingStep(made.student, made.method, made.optimizer);
    Loss loss =
        taken.take(
            inputs, climbed -> recipe.attack.perturb(made.student, climbed, batch.images(), noise));
    made.average.afterStep(position.epoch());
    sums.add(loss, batch.images().size(0));
    position = position.afterStep(batch.images().size(0));
    tell(loss, made.optimizer.baseLearningRate() * factor, perEpoch);
  }

  /** Reads losses only where they are logged or shown, since reading waits for the device. */
  private void tell(Loss loss, double rate, long perEpoch) {
    boolean logged = position.step() % LOG_EVERY == 0 || position.stepInEpoch() == perEpoch;
    if (!logged && !listener.due()) {
      return;
    }
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("total", loss.total().item());
    loss.terms().forEach((name, value) -> values.put(name, value.item()));
    checkFinite(values);
    listener.step(new Listener.Step(position.epoch(), position.step(), logged, values, rate));
  }

  private void endEpoch(Assembly made, LossSums sums, long began, long imagesBefore) {
    double seconds = (System.nanoTime() - began) / 1e9;
    int epoch = position.epoch();
    made.average.afterEpoch(epoch);
    Map<String, Double> loss = sums.means(position.images());
    Map<String, Double> told = made.method.epochSummary();
    Map<String, Double> validation = new LinkedHashMap<>();
    int bestEpoch = position.bestEpoch();
    double bestValue = position.bestValue();
    boolean best = false;
    try (Averaged _ = averaged(made, epoch)) {
      boolean validate =
          made.validationImages() > 0
              && (epoch % recipe.select.every() == 0 || epoch == recipe.epochs);
      if (validate) {
        validation.putAll(validate(made));
        double value = value(validation);
        best = value > bestValue;
        bestValue = Math.max(value, bestValue);
      } else {
        best = made.validationImages() == 0;
      }
      bestEpoch = best ? epoch : bestEpoch;
      write(made, "last.pth");
      if (best) {
        write(made, "best.pth");
      }
    }
    double rate = (position.images() - imagesBefore) / seconds;
    listener.epoch(
        new Listener.Epoch(epoch, position.step(), best, loss, validation, told, seconds, rate));
    position = position.nextEpoch(made.average.count(), bestEpoch, bestValue);
  }

  /** The averaged student in place of the trained one, where there is an average. */
  private Averaged averaged(Assembly made, int epoch) {
    if (!made.average.active(epoch)) {
      return () -> {};
    }
    return made.average.swapIn((batches, each) -> show(made, epoch, batches, each));
  }

  /**
   * Runs the student, in training mode, on the epoch's first batches: clean, augmented as there.
   */
  private void show(Assembly made, int epoch, int batches, Runnable each) {
    Natives.seedDefaults(made.seeds.derive("statistics", epoch));
    try (Batches.Epoch seen = made.batches.epoch(epoch, 0)) {
      for (int i = 0; i < batches && seen.hasNext(); i++) {
        try (Scope _ = Scope.open("statistics")) {
          made.student.logits(seen.next().images());
          each.run();
        }
      }
    }
  }

  /** An {@link AutoCloseable} that throws nothing checked. */
  interface Averaged extends AutoCloseable {
    @Override
    void close();
  }

  private Map<String, Double> validate(Assembly made) {
    Map<String, Double> accuracies = new LinkedHashMap<>();
    try (Batches held = made.validation()) {
      for (Evaluation.Result r :
          new Evaluation(made.student, recipe.attack.ball(), made.seeds)
              .validate(recipe.select.steps(), held)) {
        accuracies.put(r.attack().equals("clean") ? "clean" : "pgd", r.accuracy());
      }
    }
    return accuracies;
  }

  private double value(Map<String, Double> validation) {
    double clean = validation.get("clean");
    double robust = validation.get("pgd");
    return switch (recipe.select.metric()) {
      case ROBUST -> robust;
      case CLEAN -> clean;
      case MEAN -> (clean + robust) / 2;
    };
  }

  /** The user stops an evaluation, which can take longer than a process may take to end. */
  private static final class Stopped extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** Attacks the test images with the students that are left; best and last may be the same. */
  private Outcome evaluate(Assembly made) {
    try (Scope _ = Scope.open("evaluation");
        Batches images = made.test()) {
      for (String file : List.of("best.pth", "last.pth")) {
        if (file.equals("last.pth") && position.bestEpoch() == recipe.epochs) {
          evaluated.add(new Evaluated(file, evaluated.get(0).results()));
          continue;
        }
        load(made, file);
        listener.message("evaluating " + file + " on the test images");
        evaluated.add(
            new Evaluated(
                file,
                new Evaluation(made.student, recipe.attack.ball(), made.seeds)
                    .warnings(listener::message)
                    .run(recipe.evaluate.attacks(), images, (attack, done) -> goOn())));
      }
      return Outcome.FINISHED;
    } catch (Stopped e) {
      evaluated.clear();
      return Outcome.STOPPED;
    }
  }

  private void goOn() {
    if (stop.getAsBoolean()) {
      throw new Stopped();
    }
  }

  private void load(Assembly made, String file) {
    try (Scope _ = Scope.open("load");
        StateDict saved = Checkpoints.read(folder.file(file))) {
      StateDicts.load(made.student, saved.tensors());
    }
  }

  /** What the students of a finished run come to on the test images. */
  public List<Evaluated> evaluated() {
    return evaluated;
  }

  private void write(Assembly made, String name) {
    Checkpoints.write(folder.file(name), made.student.stateDict());
    String card = ModelCard.path(Path.of(name)).toString();
    made.card.ifPresent(json -> folder.writeJson(card, json));
  }

  private void checkFinite(Map<String, Double> loss) {
    if (!loss.values().stream().allMatch(Double::isFinite)) {
      throw diverged("the loss", loss.toString());
    }
  }

  /** Weights may have run away though the losses before were finite. */
  private void checkFinite(TrainingState state, LossSums sums) {
    checkFinite(sums.values());
    state
        .notFinite()
        .ifPresent(
            name -> {
              throw diverged(name, "NaN or infinite");
            });
  }

  private TrainingException diverged(String what, String found) {
    Path state = folder.state();
    return new TrainingException(
        "%s is no finite number at epoch %d, step %d: %s; train anew with a lower %s%s"
            .formatted(
                what,
                position.epoch(),
                position.step(),
                found,
                "optimizer.learningRate",
                Files.exists(state) ? "; the last good state is in " + state : ""));
  }

  private void save(TrainingState state, LossSums sums) {
    checkFinite(state, sums);
    state.save(folder.state(), position, sums.state());
    savedAt = System.nanoTime();
  }
}
