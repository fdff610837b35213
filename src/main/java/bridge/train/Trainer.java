package bridge.train;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.method.parts.Loss;
import bridge.torch.Device;
import bridge.torch.Scope;
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
  static final int LOG_EVERY = 20;

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

  /**
   * What came of a run.
   *
   * @param students the best and the last one, evaluated; none unless the run is finished
   */
  public record Result(Outcome outcome, List<EvaluatedStudent> students) {}

  private final Session session;
  private final Recipe recipe;
  private final long maxSteps;
  private final BooleanSupplier stop;
  private final Listener listener;
  private final Selection selection;
  private final FiniteCheck finite;
  private final RunStep step;
  private long savedAt = System.nanoTime();

  private Trainer(Session session, long maxSteps, BooleanSupplier stop, Listener listener) {
    this.session = session;
    this.recipe = session.recipe;
    this.maxSteps = maxSteps;
    this.stop = stop;
    this.listener = listener;
    this.selection = new Selection(session);
    this.finite = new FiniteCheck(session);
    this.step = new RunStep(session, Stages.NONE);
  }

  /**
   * Trains to the end, or until asked to stop, and evaluates the students that are left. A run in
   * the folder is gone on with; a finished one is only evaluated again, which gives the same
   * numbers.
   *
   * @param maxSteps stop after so many steps of the run, saved; {@link Long#MAX_VALUE} for never
   * @param stop asked after every step
   * @throws bridge.UsageException if the recipe names what is not there, or is not the one of the
   *     folder's run
   * @throws TrainingException if a loss or a weight is no finite number; the state saved last
   *     stands
   */
  public static Result train(
      Recipe recipe,
      RunFolder folder,
      Device device,
      long maxSteps,
      BooleanSupplier stop,
      Listener listener) {
    folder.checkSameRecipe(recipe.resolved());
    recipe.backend.use(device);
    try (Scope run = Scope.open("run");
        Session session = new Session(recipe, folder, device, run)) {
      folder.writeJson("recipe.json", recipe.resolved());
      return new Trainer(session, maxSteps, stop, listener).run();
    }
  }

  private Result run() {
    session.restore();
    start();
    while (session.position().epoch() <= recipe.epochs) {
      Optional<Outcome> stopped = trainEpoch();
      if (stopped.isPresent()) {
        return new Result(stopped.get(), List.of());
      }
    }
    return new FinalEvaluation(session, stop, listener::message)
        .run()
        .map(students -> new Result(Outcome.FINISHED, students))
        .orElse(new Result(Outcome.STOPPED, List.of()));
  }

  private void start() {
    Position position = session.position();
    listener.start(
        new Listener.Start(
            recipe.epochs, session.batches.stepsPerEpoch(), recipe.batch, position.step()));
    session.notes.forEach(listener::message);
    if (position.step() == 0) {
      String idle = recipe.backend.withoutEffect(session.student.device());
      if (!idle.isEmpty()) {
        listener.message(idle + ": without effect on the processor");
      }
      session.preflight().forEach(listener::message);
    }
    if (position.epoch() > recipe.epochs) {
      listener.message("all %d epochs are done, only evaluating".formatted(recipe.epochs));
    }
  }

  /** The rest of the epoch in progress; why the run stops inside it, if it does. */
  private Optional<Outcome> trainEpoch() {
    Position begin = session.position();
    long startNanos = System.nanoTime();
    session.student.train(true);
    try (Batches.Epoch epoch = session.batches.epoch(begin.epoch(), (int) begin.stepInEpoch())) {
      while (epoch.hasNext()) {
        Optional<Outcome> stopped = stopped();
        if (stopped.isPresent()) {
          save();
          return stopped;
        }
        try (Scope _ = Scope.open("step")) {
          step(epoch.next());
        }
        if (secondsSince(savedAt) > SAVE_EVERY) {
          save();
        }
      }
    }
    finite.checkState();
    try (Scope _ = Scope.open("epoch-end")) {
      double seconds = secondsSince(startNanos);
      endEpoch(seconds, (session.position().images() - begin.images()) / seconds);
    }
    save();
    return Optional.empty();
  }

  private Optional<Outcome> stopped() {
    if (session.position().step() >= maxSteps) {
      return Optional.of(Outcome.STEPS_DONE);
    }
    return stop.getAsBoolean() ? Optional.of(Outcome.STOPPED) : Optional.empty();
  }

  private void step(Batch batch) {
    double learningRate = session.optimizer.baseLearningRate() * session.scheduleFactor();
    log(step.take(batch), learningRate);
  }

  /** Reads losses only where they are logged or shown, since reading waits for the device. */
  private void log(Loss loss, double learningRate) {
    Position position = session.position();
    boolean logged =
        position.step() % LOG_EVERY == 0
            || position.stepInEpoch() == session.batches.stepsPerEpoch();
    if (!logged && !listener.due()) {
      return;
    }
    Map<String, Double> terms = RunStep.terms(loss);
    finite.checkLoss(terms);
    listener.step(
        new Listener.Step(position.epoch(), position.step(), logged, terms, learningRate));
  }

  private void endEpoch(double seconds, double imagesPerSecond) {
    Position end = session.position();
    session.average.afterEpoch(end.epoch());
    Map<String, Double> loss = session.sums.means(end.images());
    Map<String, Double> method = session.method.epochSummary();
    Selection.Choice choice;
    try (Average.Swap _ = session.swapInAverage()) {
      choice = selection.choose();
      session.writeStudent("last.pth");
      if (choice.best()) {
        session.writeStudent("best.pth");
      }
    }
    listener.epoch(
        new Listener.Epoch(
            end.epoch(),
            end.step(),
            choice.best(),
            loss,
            choice.validation(),
            method,
            seconds,
            imagesPerSecond));
    session.moveTo(end.nextEpoch(session.average.count(), choice.bestEpoch(), choice.bestValue()));
  }

  private void save() {
    finite.checkState();
    session.save();
    savedAt = System.nanoTime();
  }

  private static double secondsSince(long nanos) {
    return (System.nanoTime() - nanos) / 1e9;
  }
}
