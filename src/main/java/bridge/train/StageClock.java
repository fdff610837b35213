package bridge.train;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Adds up the time in each stage. A stage within another stops the outer one's clock, so that
 * nothing counts twice. Belongs to one thread.
 */
final class StageClock implements Stages {
  private final Runnable settle;
  private final LongSupplier clock;
  private final Map<Stage, Long> nanos = new EnumMap<>(Stage.class);
  private Stage current;
  private long since;

  /**
   * @param settle waits for what the device still computes, so that it counts where it belongs
   * @param clock tells the nanoseconds since whenever
   */
  StageClock(Runnable settle, LongSupplier clock) {
    this.settle = settle;
    this.clock = clock;
  }

  @Override
  public Visit enter(Stage stage) {
    Stage outer = current;
    turn(stage);
    return () -> turn(outer);
  }

  private void turn(Stage next) {
    settle.run();
    long now = clock.getAsLong();
    if (current != null) {
      nanos.merge(current, now - since, Long::sum);
    }
    current = next;
    since = now;
  }

  /** Forgets what was measured so far. */
  void reset() {
    nanos.clear();
  }

  /** Seconds in this stage and in no stage within it, since the last {@link #reset}. */
  double seconds(Stage stage) {
    return nanos.getOrDefault(stage, 0L) / 1e9;
  }
}
