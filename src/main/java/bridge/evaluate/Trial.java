package bridge.evaluate;

import bridge.attack.Attack;
import bridge.attack.AutoAttack;

/** What is tried on the images. */
sealed interface Trial {
  /** The name in tables, under which random numbers are drawn and states kept. */
  String name();

  /** Nothing: the images as they are. */
  record Clean() implements Trial {
    static final String NAME = "clean";

    @Override
    public String name() {
      return NAME;
    }
  }

  /** An attack on the network, on all images. */
  record Attacked(String name, Attack attack) implements Trial {}

  /** An attack on the surrogate, whose images the network is shown. */
  record Transferred(String name, Attack attack) implements Trial {}

  /** Attacks on the network one after the other, each on the images still right. */
  record Ensemble(String name, AutoAttack attack) implements Trial {}

  /** An attack on the network. */
  static Trial of(String name, Attack attack) {
    return attack instanceof AutoAttack ensemble
        ? new Ensemble(name, ensemble)
        : new Attacked(name, attack);
  }
}
