package bridge.gradient;

import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/**
 * The inner loop of attacks by gradients: from a point, so many times, the gradient of an objective
 * there and a step along it. What a step is, the attack says.
 */
@FunctionalInterface
public interface Climb {

  /**
   * From a point and the gradient there to the next point. Nothing of a batch hides in it, it waits
   * for no value and draws nothing, and two that do the same are equal: a record of the attack's
   * settings is such a step.
   */
  @FunctionalInterface
  interface Step {
    /**
     * @param from [N, C, H, W], without a gradient
     * @param gradient of the objective there
     * @param fixed what else the batch gives, such as the images that a ball is around
     */
    Tensor next(Tensor from, Tensor gradient, List<Tensor> fixed);
  }

  /** One operation after the other, each step in a scope of its own. */
  Climb PLAIN =
      (objective, step, fixed, begin, times) -> {
        try (Scope climb = Scope.open("climb")) {
          Tensor x = begin;
          for (int i = 0; i < times; i++) {
            x = once(objective, step, fixed, x);
          }
          return climb.keep(x);
        }
      };

  /**
   * Climbs from {@code begin}, which it does not change, in the networks' present modes.
   *
   * @param fixed handed to each step
   * @param times how many steps; with none, the result is {@code begin} itself
   * @return [N, C, H, W] in the caller's scope
   */
  Tensor ascend(Objective objective, Step step, List<Tensor> fixed, Tensor begin, int times);

  /** One step, in the caller's scope. */
  static Tensor once(Objective objective, Step step, List<Tensor> fixed, Tensor from) {
    try (Scope scope = Scope.open("attack-step")) {
      Tensor x = from.detach();
      return scope.keep(step.next(x, objective.slope(x).gradient(), fixed));
    }
  }
}
