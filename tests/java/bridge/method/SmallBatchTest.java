package bridge.method;

import bridge.Options;
import bridge.ScopedTest;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;

/** Methods on a batch of five of eight images of three classes, toy networks in float64. */
abstract class SmallBatchTest extends ScopedTest {
  static final int CLASSES = 3;
  static final int BATCH = 5;
  static final int[] LABELS = {0, 1, 2, 0, 1, -1, 2, 0};
  static final int[] INDICES = {7, 1, 2, 0, 4};

  static final double TOLERANCE = 1e-6;

  ToyNetwork student;
  List<Teacher> teachers;
  Tensor adversarial;

  @BeforeEach
  void perturb() {
    Generator g = Generator.on(Device.CPU, 4);
    Tensor images = inputs(1).images();
    adversarial = images.add(images.emptyLike().uniform_(-0.1, 0.1, g)).clamp(0, 1);
  }

  /** Restores the method's state before every evaluation, since CRD's banks move with each. */
  void gradientsAgree(Method method, Map<String, Tensor> parameters, Supplier<Loss> loss) {
    Map<String, Tensor> buffers = new LinkedHashMap<>(method.state());
    buffers.keySet().removeAll(method.parameters().keySet());
    Map<String, Tensor> before = new LinkedHashMap<>();
    buffers.forEach((name, t) -> before.put(name, t.copy()));
    DoubleSupplier value =
        () -> {
          before.forEach((name, t) -> buffers.get(name).copy_(t));
          return loss.get().total().item();
        };
    parameters.values().forEach(Tensor::clearGrad);
    loss.get().total().backward();
    before.forEach((name, t) -> buffers.get(name).copy_(t));
    parameters.forEach((name, p) -> FiniteDifferences.compare(name, p, p.grad(), TOLERANCE, value));
  }

  Method method(String json) {
    return method(json, 5);
  }

  /** A student of width 5 and the teachers that the method needs, of this width. */
  Method method(String json, int width) {
    student = new ToyNetwork(1, 2, 4, 5, CLASSES, 3);
    teachers = new ArrayList<>();
    String feature = json.contains("fitnets") ? "map" : "pool";
    if (json.contains("peer-aid")) {
      add(Teacher.Role.PEER, width, feature);
    } else if (json.contains("kd-swa")) {
      add(Teacher.Role.CLEAN, width, feature);
      add(Teacher.Role.ADVERSARIAL, width, feature);
    } else if (!json.contains("'alp'")) {
      add(Teacher.Role.STANDARD, width, feature);
    }
    return TestMethods.of(options(json), setting());
  }

  void add(Teacher.Role role, int width, String feature) {
    ToyNetwork network = new ToyNetwork(10 + teachers.size(), 2, 4, width, CLASSES, 8);
    if (role != Teacher.Role.PEER) {
      network.freeze();
    }
    teachers.add(new Teacher("toy" + teachers.size(), role, network, feature));
  }

  Options options(String json) {
    JsonObject object = JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject();
    return new Options("method", object);
  }

  MethodContext setting() {
    return new MethodContext(
        student, teachers, CLASSES, new long[] {2, 4, 4}, LABELS, new Seeds(7), Device.CPU);
  }

  static Inputs inputs(int epoch) {
    Generator g = Generator.on(Device.CPU, 3);
    Tensor images = Tensor.empty(DType.FLOAT64, Device.CPU, BATCH, 2, 4, 4).uniform_(0, 1, g);
    long[] labels = Arrays.stream(INDICES).mapToLong(i -> LABELS[i]).toArray();
    return new Inputs(images, Tensor.of(labels, BATCH), INDICES, epoch, 1, 1);
  }
}
