package bridge.method;

import bridge.ScopedTest;
import bridge.method.parts.Inputs;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.List;

/** Methods on toy networks in float64. */
abstract class ToyTest extends ScopedTest {
  static final int CLASSES = 4;
  static final int BATCH = 6;

  /** A method's options, and how many teachers it takes. */
  record Variant(String json, int teachers) {}

  ToyNetwork student;
  List<Teacher> teachers;

  void networks(int count) {
    student = new ToyNetwork(1, 2, 4, 5, CLASSES, 3);
    teachers = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      ToyNetwork teacher = new ToyNetwork(10 + k, 2, 4, 6 + k, CLASSES, 8);
      teacher.freeze();
      Teacher.Role role = k == 0 ? Teacher.Role.ADVERSARIAL : Teacher.Role.CLEAN;
      // a vector and maps, so that features go from smaller to larger and back
      teachers.add(new Teacher("toy" + k, role, teacher, k == 1 ? "pool" : "map"));
    }
  }

  static MethodContext setting(Network student, List<Teacher> teachers) {
    return new MethodContext(
        student,
        teachers,
        CLASSES,
        new long[] {2, 4, 4},
        new int[] {0, 1, 2},
        new Seeds(7),
        Device.CPU);
  }

  static Method create(String json, MethodContext setting) {
    JsonObject options = JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject();
    return TestMethods.of(options, setting);
  }

  Method method(Variant variant) {
    networks(variant.teachers);
    return create(variant.json, setting(student, teachers));
  }

  static Inputs inputs(int epoch) {
    Generator g = Generator.on(Device.CPU, 3);
    Tensor images = Tensor.empty(DType.FLOAT64, Device.CPU, BATCH, 2, 4, 4).uniform_(0, 1, g);
    return new Inputs(
        images, Tensor.of(new long[] {0, 1, 2, 3, 0, 2}, BATCH), new int[6], epoch, 1, 1);
  }

  static Tensor moved(Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      Generator g = Generator.on(Device.CPU, 4);
      return images.add(images.emptyLike().uniform_(-0.1, 0.1, g)).clamp(0, 1);
    }
  }
}
