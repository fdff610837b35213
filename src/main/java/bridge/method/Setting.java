package bridge.method;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.util.List;

/**
 * What a method works with.
 *
 * @param imageShape C, H, W
 */
public record Setting(
    Network student,
    List<Teacher> teachers,
    int classes,
    long[] imageShape,
    Seeds seeds,
    Device device) {

  /**
   * A frozen network to learn from.
   *
   * @param name for the log
   * @param feature the submodule path whose output is this teacher's feature
   */
  public record Teacher(String name, Network network, String feature) {}
}
