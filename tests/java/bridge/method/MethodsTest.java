package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.UsageException;
import bridge.loss.Losses;
import bridge.method.parts.Inputs;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonParser;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The registry, and the two methods that learn from labels alone. */
class MethodsTest {
  private Scope scope;
  private ToyNetwork student;
  private Inputs inputs;
  private Tensor adversarial;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    student = new ToyNetwork(1, 2, 4, 5, 3, 3);
    Tensor images =
        Tensor.empty(DType.FLOAT64, Device.CPU, 3, 2, 4, 4)
            .uniform_(0, 1, Generator.on(Device.CPU, 3));
    inputs = new Inputs(images, Tensor.of(new long[] {0, 1, 2}, 3), new int[3], 1, 1, 1);
    adversarial = images.mul(0.9);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Method method(String json, List<Teacher> teachers) {
    Options options = new Options("method", JsonParser.parseString(json).getAsJsonObject());
    long[] shape = {2, 4, 4};
    int[] labels = {0, 1, 2};
    return TestMethods.of(
        options, new MethodContext(student, teachers, 3, shape, labels, new Seeds(1), Device.CPU));
  }

  @Test
  void standardDescendsTheCrossEntropyOfCleanImagesWithoutAnAttack() {
    Method method = method("{\"name\":\"standard\"}", List.of());
    assertTrue(method.begin(inputs).objective().isEmpty());
    Tensor clean = Losses.crossEntropy(student.logits(inputs.images()), inputs.labels());
    assertEquals(clean.item(), method.begin(inputs).descend(adversarial).total().item(), 0);
  }

  @Test
  void pgdAtClimbsAndDescendsTheCrossEntropyOfTheAttackedImages() {
    Method method = method("{\"name\":\"pgd-at\"}", List.of());
    Tensor hard = Losses.crossEntropy(student.logits(adversarial), inputs.labels());
    assertEquals(
        hard.item(), method.begin(inputs).objective().orElseThrow().at(adversarial).item(), 0);
    assertEquals(hard.item(), method.begin(inputs).descend(adversarial).total().item(), 0);
  }

  @Test
  void anUnknownMethodIsRefusedWithTheNearestName() {
    UsageException e =
        assertThrows(UsageException.class, () -> method("{\"name\":\"pgd-att\"}", List.of()));
    assertTrue(e.getMessage().contains("did you mean pgd-at?"), e.getMessage());
  }

  @Test
  void teachersThatWouldNotBeAskedAreRefused() {
    var teacher = new Teacher("t", Teacher.Role.STANDARD, student, "pool");
    for (String name : List.of("standard", "pgd-at")) {
      String json = "{\"name\":\"%s\"}".formatted(name);
      UsageException e = assertThrows(UsageException.class, () -> method(json, List.of(teacher)));
      assertTrue(e.getMessage().contains("takes no teachers"), e.getMessage());
    }
  }
}
