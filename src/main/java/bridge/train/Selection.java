package bridge.train;

import bridge.data.Batches;
import bridge.evaluate.Evaluation;
import java.util.LinkedHashMap;
import java.util.Map;

/** Chooses, among the students that the epochs leave, the one that becomes {@code best.pth}. */
record Selection(Session session) {

  /**
   * What an epoch's end changes.
   *
   * @param validation accuracies on the held-out images; empty where the epoch is not validated
   * @param best whether this epoch's student is the best so far
   * @param bestValue of the recipe's metric
   */
  record Choice(Map<String, Double> validation, boolean best, int bestEpoch, double bestValue) {}

  /** Validates the student as it is now, where the recipe asks for it after this epoch. */
  Choice choose() {
    Recipe recipe = session.recipe;
    Position position = session.position();
    int epoch = position.epoch();
    if (!session.data.hasValidation()) {
      return new Choice(Map.of(), true, epoch, position.bestValue()); // the last is the best
    }
    if (epoch % recipe.select.every() != 0 && epoch != recipe.epochs) {
      return new Choice(Map.of(), false, position.bestEpoch(), position.bestValue());
    }
    Map<String, Double> validation = validate();
    double value = value(validation);
    boolean best = value > position.bestValue();
    return new Choice(
        validation,
        best,
        best ? epoch : position.bestEpoch(),
        Math.max(value, position.bestValue()));
  }

  private Map<String, Double> validate() {
    Recipe recipe = session.recipe;
    Map<String, Double> accuracies = new LinkedHashMap<>();
    try (Batches heldOut = session.data.validation()) {
      for (Evaluation.Result result :
          new Evaluation(session.student, recipe.attack.ball(), session.seeds)
              .validate(recipe.select.steps(), heldOut)) {
        accuracies.put(result.attack().equals("clean") ? "clean" : "pgd", result.accuracy());
      }
    }
    return accuracies;
  }

  private double value(Map<String, Double> validation) {
    double clean = validation.get("clean");
    double robust = validation.get("pgd");
    return switch (session.recipe.select.metric()) {
      case ROBUST -> robust;
      case CLEAN -> clean;
      case MEAN -> (clean + robust) / 2;
    };
  }
}
