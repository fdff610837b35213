package bridge.train;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.method.parts.Loss;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Natives;
import bridge.torch.Scope;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;

/**
 * Measures a recipe's training step, which is the very one that {@link Trainer} takes: how long it
 * takes, in which stages, and what of the machine's arithmetic it uses.
 *
 * <p>Nothing is saved. The steps are those of the run's last epoch, in which all that begins later
 * takes part, begun again where it ends; the weights are those that a run begins with. A teacher
 * through which the method leads gradients is not looked at on its own, since what the attack
 * climbs must be what it is in a run: its time is part of the stage that asks it.
 */
public final class StepBenchmark {
  private static final int WARM_UP_STEPS = 3;
  private static final double WARM_UP_SECONDS = 4;

  /** How long the measured steps take together, where their number is not given. */
  private static final double SECONDS = 24;

  private static final int FEWEST = 5;
  private static final int MOST = 2000;

  /** On CUDA so many steps are given to the device before it is waited for. */
  private static final int CUDA_BLOCK = 10;

  /**
   * What was measured.
   *
   * @param randomImages whether the recipe's data was not at hand
   * @param batch images of a whole batch
   * @param shape of an image: C, H, W
   * @param seconds of each measured step; on CUDA means of several
   * @param imagesPerSecond over the steps
   * @param split the stages' shares of a step
   * @param work what a step computes
   * @param peakBytes the most resident memory of the process up to the last measured step
   * @param host on CUDA only, else null
   */
  public record Result(
      boolean randomImages,
      int batch,
      long[] shape,
      int warmUp,
      List<Double> seconds,
      Spread imagesPerSecond,
      Split split,
      Work work,
      MachinePeak peak,
      long peakBytes,
      HostTime host) {

    /** Operations per second at the median speed. */
    public double operationsPerSecond() {
      return work.perImage() * imagesPerSecond.median();
    }
  }

  /**
   * Where a step's time goes. The stages and the rest, which is tidying up, sum to the step. On
   * CUDA these are steps of their own, after each of whose stages the device is waited for.
   *
   * @param seconds mean of each stage
   * @param step mean of the steps that these are the stages of
   */
  public record Split(Map<Stage, Double> seconds, double step) {
    public double rest() {
      return step - seconds.values().stream().mapToDouble(s -> s).sum();
    }
  }

  /** Some steps' times. */
  private record Pass(List<Double> seconds, List<Double> speeds, List<Double> host) {
    double mean() {
      return seconds.stream().mapToDouble(s -> s).average().orElse(0);
    }
  }

  private final Device device;
  private final Session session;
  private final StageClock clock;
  private final RunStep step;
  private Runnable afterStage = () -> {};
  private Batches.Epoch epoch;
  private int epochs;
  private int warmUp;

  private StepBenchmark(Recipe recipe, BenchmarkImages images, Device device, Scope run) {
    this.device = device;
    this.clock = new StageClock(() -> afterStage.run(), System::nanoTime);
    UnaryOperator<Network> teacher =
        recipe.method.gradientsThroughTeachers().isPresent()
            ? UnaryOperator.identity()
            : network -> new TimedNetwork(network, clock);
    Fittings fittings = new Fittings(images, UnaryOperator.identity(), teacher);
    this.session = new Session(recipe, null, fittings, device, run);
    this.step = new RunStep(session, clock);
    session.student.train(true);
  }

  /**
   * Measures.
   *
   * @param steps how many; empty for half a minute's worth
   * @throws bridge.UsageException if the recipe names what is not there, but for its data
   */
  public static Result measure(Recipe recipe, Device device, OptionalInt steps) {
    BenchmarkImages images = new BenchmarkImages(recipe);
    try (Scope run = Scope.open("benchmark")) {
      StepBenchmark benchmark = new StepBenchmark(recipe, images, device, run);
      try (Session session = benchmark.session) {
        Pass pass = benchmark.pass(benchmark.warmUp(steps), device.isCuda() ? CUDA_BLOCK : 1);
        long peakBytes = Natives.peakResidentBytes();
        return new Result(
            images.areRandom(),
            recipe.batch,
            session.data.shape(),
            benchmark.warmUp,
            pass.seconds,
            Spread.of(pass.speeds),
            benchmark.split(pass),
            Work.of(recipe, images, device),
            MachinePeak.of(device),
            peakBytes,
            device.isCuda() ? HostTime.of(device, pass.host) : null);
      }
    }
  }

  /** Steps that are not measured; says how many shall be. */
  private int warmUp(OptionalInt steps) {
    double all = 0;
    double last = 0;
    while (warmUp < WARM_UP_STEPS || steps.isEmpty() && all < WARM_UP_SECONDS) {
      last = pass(1, 1).mean();
      all += last;
      warmUp++;
    }
    return steps.orElse((int) Math.clamp(SECONDS / last, FEWEST, MOST));
  }

  /**
   * Takes steps.
   *
   * @param block so many are timed together
   */
  private Pass pass(int steps, int block) {
    clock.reset();
    Pass pass = new Pass(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (int done = 0; done < steps; done += block) {
      int count = Math.min(block, steps - done);
      long images = 0;
      long begin = System.nanoTime();
      for (int i = 0; i < count; i++) {
        images += step((done + i) % Trainer.LOG_EVERY == Trainer.LOG_EVERY - 1);
      }
      double host = (System.nanoTime() - begin) / 1e9;
      HostTime.settle(device);
      double seconds = (System.nanoTime() - begin) / 1e9;
      pass.seconds.add(seconds / count);
      pass.speeds.add(images / seconds);
      pass.host.add(host / count);
    }
    return pass;
  }

  /** Takes one; returns how many images it had. */
  private long step(boolean logged) {
    try (Scope _ = Scope.open("step")) {
      Batch batch;
      try (Stages.Visit _ = clock.enter(Stage.DATA)) {
        batch = next();
      }
      Loss loss = step.take(batch);
      if (logged) {
        try (Stages.Visit _ = clock.enter(Stage.LOG)) {
          RunStep.terms(loss);
        }
      }
      return batch.images().size(0);
    }
  }

  private Batch next() {
    if (epoch == null || !epoch.hasNext()) {
      session.moveTo(lastEpoch(session));
      epoch = session.batches.epoch(++epochs, 0);
    }
    return epoch.next();
  }

  /** Where a run stands before its last epoch. */
  static Position lastEpoch(Session session) {
    int before = session.recipe.epochs - 1;
    return new Position(
        before + 1, 0, (long) before * session.batches.stepsPerEpoch(), 0, 0, 0, -1);
  }

  private Split split(Pass measured) {
    Pass pass = measured;
    if (device.isCuda()) {
      afterStage = () -> HostTime.settle(device);
      pass = pass(measured.seconds.size(), 1);
    }
    int steps = pass.seconds.size();
    Map<Stage, Double> seconds = new EnumMap<>(Stage.class);
    for (Stage stage : Stage.values()) {
      seconds.put(stage, clock.seconds(stage) / steps);
    }
    return new Split(seconds, pass.mean());
  }
}
