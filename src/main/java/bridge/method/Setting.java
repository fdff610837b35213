package bridge.method;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.util.List;

/**
 * What a method works with.
 *
 * @param imageShape C, H, W
 * @param trainingLabels the labels of the images trained on, by their numbers in {@link
 *     Inputs#indices}; −1 for the images of the data set that are held out
 */
public record Setting(
    Network student,
    List<Teacher> teachers,
    int classes,
    long[] imageShape,
    int[] trainingLabels,
    Seeds seeds,
    Device device) {

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

  /**
   * A network to learn from: frozen and in evaluation mode, unless its role is PEER.
   *
   * @param name for the log
   * @param feature the submodule path whose output is this teacher's feature
   */
  public record Teacher(String name, Role role, Network network, String feature) {}
}
