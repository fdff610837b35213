package bridge.loss;

import bridge.torch.Tensor;

/**
 * How far a student's prediction is from a teacher's, per sample [N]. Both are logits [N, K]; the
 * teacher's are constants, so that no gradient flows into them.
 */
public final class Divergence {
  private Divergence() {}

  /** T² · KL(softmax(teacher / T) ‖ softmax(student / T)), the gradient's size kept over T. */
  public static Tensor softened(Tensor teacher, Tensor student, double temperature) {
    Tensor target = teacher.div(temperature).softmax(1);
    return Losses.klPerSample(target, student.div(temperature)).mul(temperature * temperature);
  }

  /**
   * Σ p (log(p + offset) − log q): KL(p ‖ q) of the teacher's p and the student's q as RSLAD's
   * scripts write it, with an offset of 1e-5. It makes the value larger, by up to the offset times
   * K, and leaves the gradient as it is.
   */
  public static Tensor offset(Tensor teacher, Tensor student, double offset) {
    Tensor p = teacher.softmax(1);
    Tensor log = offset == 0 ? teacher.logSoftmax(1) : p.add(offset).log();
    return p.mul(log.sub(student.logSoftmax(1))).sum(1);
  }
}
