package bridge.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Ends a run whose numbers have run away, before they are logged or saved. */
record FiniteCheck(Session session) {

  /**
   * @throws TrainingException if a term of the loss is no finite number
   */
  void checkLoss(Map<String, Double> terms) {
    if (!terms.values().stream().allMatch(Double::isFinite)) {
      throw diverged("the loss", terms.toString());
    }
  }

  /**
   * Checks all that is saved: weights may have run away though the losses before were finite.
   *
   * @throws TrainingException if a tensor holds a number that is not finite
   */
  void checkState() {
    checkLoss(session.sums.values());
    session
        .notFinite()
        .ifPresent(
            name -> {
              throw diverged(name, "NaN or infinite");
            });
  }

  private TrainingException diverged(String what, String found) {
    Path state = session.folder.state();
    return new TrainingException(
        "%s is no finite number at epoch %d, step %d: %s; train anew with a lower %s%s"
            .formatted(
                what,
                session.position().epoch(),
                session.position().step(),
                found,
                "optimizer.learningRate",
                Files.exists(state) ? "; the last good state is in " + state : ""));
  }
}
