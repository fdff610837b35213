package bridge.train;

import java.util.Map;

/** Receives what happens in a run; the loop does not know who listens. */
public interface Listener {

  /**
   * @param fromStep steps done before, 0 for a fresh run
   */
  record Start(int epochs, long stepsPerEpoch, int batch, long fromStep) {}

  /**
   * @param logged whether this step is one of those that belong to the log, the same in every run;
   *     else it was only {@link #due}
   * @param loss the terms' values, {@code total} first
   */
  record Step(
      int epoch, long step, boolean logged, Map<String, Double> loss, double learningRate) {}

  /**
   * @param loss mean of each term over the epoch's images
   * @param validation accuracies on the held-out images; empty where there are none
   * @param method the method's own figures of the epoch, by name
   * @param seconds this epoch's time in this process
   */
  record Epoch(
      int epoch,
      long step,
      boolean best,
      Map<String, Double> loss,
      Map<String, Double> validation,
      Map<String, Double> method,
      double seconds,
      double imagesPerSecond) {}

  default void start(Start start) {}

  /** Whether a figure would be shown now; asked before anything is read from the device. */
  default boolean due() {
    return false;
  }

  default void step(Step step) {}

  default void epoch(Epoch epoch) {}

  /** A line for the user. */
  default void message(String line) {}
}
