package bridge.gradient;

import bridge.torch.Tensor;

/** What an attack climbs, given from outside: it knows the networks and labels, the attack not. */
@FunctionalInterface
public interface Objective {
  /** The value, a scalar, at these images [N, C, H, W]; larger is worse for the network. */
  Tensor at(Tensor images);
}
