package bridge.method.parts;

import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.util.List;

/**
 * What a method works with. The teachers are those that the method's line in the registry asks for.
 *
 * @param imageShape C, H, W
 * @param trainingLabels the labels of the images trained on, by their numbers in {@link
 *     Inputs#indices}; −1 for the images of the data set that are held out
 */
public record MethodContext(
    Network student,
    List<Teacher> teachers,
    int classes,
    long[] imageShape,
    int[] trainingLabels,
    Seeds seeds,
    Device device) {

  /** The teacher of a method that has one. */
  public Teacher teacher() {
    return teachers.get(0);
  }

  /** The network of the teacher with this role, of a method that tells its teachers apart. */
  public Network teacher(Teacher.Role role) {
    return teachers.stream().filter(t -> t.role() == role).findFirst().orElseThrow().network();
  }
}
