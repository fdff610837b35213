package bridge.attack;

import bridge.torch.Tensor;

/**
 * What an attack made of a batch.
 *
 * @param images float [N, C, H, W] in [0, 1], detached, in the caller's scope
 * @param zeroGradients for how many of them a {@link bridge.loss.Losses#dlr DLR} loss had a
 *     gradient of 0 where the attack began, in the round with the most; 0 for attacks without such
 *     a loss
 */
public record Perturbed(Tensor images, int zeroGradients) {
  /** By an attack that notices nothing. */
  public Perturbed(Tensor images) {
    this(images, 0);
  }
}
