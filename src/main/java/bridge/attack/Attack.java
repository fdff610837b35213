package bridge.attack;

import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Tensor;

/**
 * Looks for images near the given ones that the network gets wrong.
 *
 * <p>Attacks work on whole batches, differentiate with respect to the images only (the gradients of
 * parameters stay as they were) and leave the network's mode and batch statistics as found.
 */
public interface Attack {
  /** The name in tables and on the command line: {@code pgd20}. */
  String name();

  /**
   * @param images float [N, C, H, W] in [0, 1]
   * @param labels int64 [N]
   * @param noise what random starts are drawn from
   * @return images of the same shape in [0, 1], detached, in the caller's scope
   */
  Tensor perturb(Network network, Tensor images, Tensor labels, Generator noise);
}
