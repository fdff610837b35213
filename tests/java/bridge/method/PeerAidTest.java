package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Tensor;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** PeerAiD: who of student and peer descends what. */
class PeerAidTest extends SmallBatchTest {
  @Test
  void theStudentOfPeerAidDescendsBothLosses() {
    Method method = method("{'name': 'peer-aid', 'gamma2': 0.7, 'lambda1': 0.3}");
    gradientsAgree(
        method, student.parameters(), () -> method.begin(inputs(2)).descend(adversarial));
  }

  /** The student's distillation from the peer is a term whose value moves with the peer only. */
  @Test
  void thePeerDescendsItsOwnLossAlone() {
    String json = "{'name': 'peer-aid', 'gamma2': 0.7, 'lambda1': 0.3, 'lambda2': %s}";
    Method whole = method(json.formatted(5));
    Method own = TestMethods.of(options(json.formatted(0)), setting()); // of the same networks
    whole.begin(inputs(2)).descend(adversarial).total().backward();
    Map<String, Tensor> peer = whole.parameters();
    assertEquals(Set.of("peer.hidden.weight", "peer.fc.weight"), peer.keySet());
    peer.forEach(
        (name, p) ->
            FiniteDifferences.compare(
                name,
                p,
                p.grad(),
                TOLERANCE,
                () -> own.begin(inputs(2)).descend(adversarial).total().item()));
  }

  @Test
  void weightsOfThePeerBelongToIt() {
    Method method = method("{'name': 'peer-aid', 'gamma1': 0, 'gamma2': 0, 'lambda1': 1}");
    method.begin(inputs(1)).descend(adversarial).total().backward();
    method.parameters().forEach((name, p) -> assertEquals(0, p.grad().abs().max().item(), 0, name));
    Method own = method("{'name': 'peer-aid', 'lambda2': 0, 'lambda3': 0, 'gamma2': 0}");
    own.begin(inputs(1)).descend(adversarial).total().backward();
    student
        .parameters()
        .forEach((name, p) -> assertEquals(0, p.grad().abs().max().item(), 0, name));
    own.parameters().forEach((name, p) -> assertTrue(p.grad().abs().max().item() > 1e-6, name));
  }

  /** The released code does not detach the student in the peer's loss. */
  @Test
  void thePeersDivergenceMovesTheStudentToo() {
    Method method = method("{'name': 'peer-aid', 'lambda2': 0, 'lambda3': 0}");
    method.begin(inputs(1)).descend(adversarial).total().backward();
    assertTrue(student.parameters().get("fc.weight").grad().abs().max().item() > 1e-9);
  }

  @Test
  void thePeersModesAreThoseOfItsTraining() {
    Method method = method("{'name': 'peer-aid'}");
    teachers.get(0).network().train(true);
    method.begin(inputs(1));
    assertTrue(teachers.get(0).network().training(), "as before the attack");
    teachers.get(0).network().train(false);
    method.begin(inputs(1)).descend(adversarial);
    assertEquals(false, teachers.get(0).network().training(), "as before the step");
  }
}
