package bridge.train;

import java.util.Locale;

/** A part of a training step, as a benchmark tells them apart. */
public enum Stage {
  /** Waiting for the batch, which is filled while the step before is computed. */
  DATA,
  /** The attack on the student, with the networks that its objective asks. */
  ATTACK,
  /** The teachers outside of the attack, where no gradient flows through them. */
  TEACHERS,
  /** The student and the losses, outside of the attack. */
  FORWARD,
  /** Gradients with respect to all that is trained. */
  BACKWARD,
  OPTIMISER,
  /** The average, the sums of the loss terms, and reading them. */
  LOG;

  /** As tables and JSON say it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
