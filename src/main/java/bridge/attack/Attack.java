package bridge.attack;

import bridge.UsageException;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * Looks for images near the given ones that the network gets wrong.
 *
 * <p>Attacks work on whole batches, differentiate with respect to the images only (the gradients of
 * parameters stay as they were), leave the network's mode and batch statistics as found, and open a
 * {@link bridge.torch.Scope Scope} of their own, of which they keep the images alone.
 */
public interface Attack {
  /** The name in tables and on the command line: {@code pgd20}. */
  String name();

  /**
   * @param images float [N, C, H, W] in [0, 1]
   * @param labels int64 [N]
   * @param noise what random starts are drawn from
   */
  Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise);

  /** Whether it draws its start or its steps at random: another seed gives other images. */
  default boolean randomStart() {
    return false;
  }

  /** Whether it runs towards each of the likeliest other classes, one after the other. */
  default boolean targeted() {
    return false;
  }

  /**
   * The same attack with so many restarts, the worst of them counting per image; empty where
   * another start would find nothing else, or the attack is defined with restarts of its own.
   */
  default Optional<Attack> withRestarts(int times) {
    return randomStart() ? Optional.of(new Restarts(this, times)) : Optional.empty();
  }

  /** How many classes a network must have, since so many of its logits are compared. */
  default int leastClasses() {
    return 1;
  }

  /**
   * Whether the network has {@link #leastClasses}; {@link #perturb} checks it, too.
   *
   * @throws UsageException if it has fewer
   */
  default void checkClasses(Network network) {
    if (network.classes() < leastClasses()) {
      throw new UsageException(
          "%s compares the %d largest logits, and %s has %d classes; use %s"
              .formatted(
                  name(), leastClasses(), network.name(), network.classes(), Apgd.FOR_FEW_CLASSES));
    }
  }
}
