package bridge.train;

import bridge.Options;
import bridge.UsageException;
import java.util.Arrays;

/**
 * The learning rate as a factor of the optimiser's.
 *
 * <p>MULTI_STEP multiplies by {@code gamma} once that many epochs are done (milestone 215: epochs
 * 216 and later, counted from 1), as in RSLAD's and MTARD's scripts. COSINE falls from 1 to {@code
 * last} over the run, step by step. Both may begin with a linear warm-up over some epochs, which
 * may be fractions; where it ends inside a step, that step's factor is a little over 1.
 */
record Schedule(Kind kind, double[] milestones, double gamma, double warmup, double last) {
  enum Kind {
    CONSTANT,
    MULTI_STEP,
    COSINE
  }

  static Schedule from(Options options) {
    Schedule schedule =
        new Schedule(
            options.choice("name", Kind.COSINE),
            options.numbers("milestones"),
            options.number("gamma", 0.1, 0, 1),
            options.number("warmupEpochs", 0, 0, 1e6),
            options.number("last", 0, 0, 1));
    options.done();
    boolean sorted =
        Arrays.equals(schedule.milestones, Arrays.stream(schedule.milestones).sorted().toArray())
            && Arrays.stream(schedule.milestones).allMatch(m -> m >= 0);
    if (!sorted || schedule.kind == Kind.MULTI_STEP && schedule.milestones.length == 0) {
      throw new UsageException(
          "%s must be epochs in rising order, found %s"
              .formatted(options.path("milestones"), Arrays.toString(schedule.milestones)));
    }
    return schedule;
  }

  /**
   * @param step steps already done, from 0 on
   */
  double factor(long step, long stepsPerEpoch, int epochs) {
    double epoch = (double) step / stepsPerEpoch;
    if (epoch < warmup) {
      return (step + 1) / (warmup * stepsPerEpoch);
    }
    return switch (kind) {
      case CONSTANT -> 1;
      case MULTI_STEP -> Math.pow(gamma, Arrays.stream(milestones).filter(m -> epoch >= m).count());
      case COSINE -> {
        double done = epochs <= warmup ? 1 : (epoch - warmup) / (epochs - warmup);
        yield last + (1 - last) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, done)));
      }
    };
  }
}
