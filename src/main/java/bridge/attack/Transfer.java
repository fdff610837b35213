package bridge.attack;

import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Tensor;

/**
 * A black-box attack by transfer: the images are made against a surrogate, whose gradients are
 * known, and shown to the network, which is never asked. RSLAD, MTARD and CIARD report it with PGD
 * and CW∞ on an adversarially trained teacher.
 *
 * @param attack what is done to the surrogate
 */
public record Transfer(Attack attack, Network surrogate) implements Attack {
  @Override
  public String name() {
    return "transfer-" + attack.name();
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    return attack.perturb(surrogate, images, labels, noise);
  }

  @Override
  public boolean randomStart() {
    return attack.randomStart();
  }

  @Override
  public boolean targeted() {
    return attack.targeted();
  }

  @Override
  public int leastClasses() {
    return attack.leastClasses();
  }

  @Override
  public void checkClasses(Network network) {
    attack.checkClasses(surrogate);
  }
}
