package bridge.method.parts;

import bridge.gradient.Objective;
import bridge.torch.Tensor;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A method's work on one batch: what the attack climbs, then what the student descends. What both
 * need is computed once and lives here, until the step's scope ends.
 *
 * @param objective what the attack climbs; empty where the method trains without an attack
 * @param descent the loss at the attack's images
 */
public record Turn(Optional<Objective> objective, Descent descent) {

  /** The loss as a function of the attack's images. */
  @FunctionalInterface
  public interface Descent {
    Loss at(Tensor adversarial);
  }

  /** A turn whose attack climbs this objective. */
  public static Turn attack(Objective objective, Descent descent) {
    return new Turn(Optional.of(objective), descent);
  }

  /** A turn on clean images only. */
  public static Turn withoutAttack(Supplier<Loss> loss) {
    return new Turn(Optional.empty(), _ -> loss.get());
  }

  /**
   * What the student descends. Called once, with the student in training mode.
   *
   * @param adversarial images [N, C, H, W] in [0, 1], detached; ignored without an attack
   */
  public Loss descend(Tensor adversarial) {
    return descent.at(adversarial);
  }
}
