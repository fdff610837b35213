package bridge.method.parts;

import bridge.model.Network;

/**
 * A network to learn from: frozen and in evaluation mode, unless its role is PEER.
 *
 * @param name for the log
 * @param feature the submodule path whose output is this teacher's feature
 */
public record Teacher(String name, Role role, Network network, String feature) {

  /** What a teacher is for; methods that tell their teachers apart ask for it. */
  public enum Role {
    /** None in particular. */
    STANDARD,
    /** Accurate on clean images. */
    CLEAN,
    /** Robust. */
    ADVERSARIAL,
    /** Trains beside the student: neither frozen nor finished. */
    PEER
  }
}
