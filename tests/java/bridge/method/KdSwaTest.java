package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.loss.Divergence;
import bridge.method.parts.Loss;
import bridge.method.parts.Teacher;
import bridge.torch.Tensor;
import org.junit.jupiter.api.Test;

/** KD+SWA: its soft cross-entropies. */
class KdSwaTest extends SmallBatchTest {
  @Test
  void softCrossEntropyIsTheDivergenceAndTheTeachersEntropy() {
    Loss loss =
        method("{'name': 'kd-swa', 'temperature': 3}").begin(inputs(1)).descend(adversarial);
    Tensor own = student.logits(adversarial);
    for (int i = 0; i < 2; i++) {
      Tensor said = teachers.get(i).network().logits(adversarial);
      Tensor p = said.div(3).softmax(1);
      double entropy = p.mul(p.log()).sum(1).mean().item() * -9;
      double divergence = Divergence.softened(said, own, 3).mean().item();
      boolean clean = teachers.get(i).role() == Teacher.Role.CLEAN;
      double weight = clean ? 0.1 : 0.6;
      assertEquals(
          weight * (divergence + entropy), loss.terms().get(clean ? "clean" : "adv").item(), 1e-12);
    }
  }
}
