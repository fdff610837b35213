package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** VFD-Adv: which features are drawn to which. */
class VfdAdvTest extends SmallBatchTest {
  @Test
  void bothImagesAreDrawnToTheTeachersCleanFeature() {
    Method method = method("{'name': 'vfd-adv', 'lambda': 2}");
    assertEquals(Map.of(), method.parameters(), "the widths agree");
    Map<String, Tensor> terms = method.begin(inputs(1)).descend(adversarial).terms();
    Tensor target = pooled(teachers.get(0).network(), inputs(1).images());
    for (String name : List.of("featAdv", "featNat")) {
      Tensor x = name.equals("featAdv") ? adversarial : inputs(1).images();
      Tensor apart = pooled(student, x).sub(target);
      assertEquals(2 * apart.mul(apart).mean().item(), terms.get(name).item(), 1e-12, name);
    }
  }

  private static Tensor pooled(bridge.model.Network network, Tensor images) {
    return network.forward(images, List.of("pool")).features().get("pool");
  }
}
