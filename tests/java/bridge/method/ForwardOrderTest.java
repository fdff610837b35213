package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import bridge.method.parts.Inputs;
import bridge.method.parts.Teacher;
import bridge.method.parts.Turn;
import bridge.model.Mode;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which network the published methods ask about which images, in which order and mode. */
class ForwardOrderTest extends ToyTest {
  /**
   * s the student, t0 and t1 teachers; x the clean images, a the attack's, x* those of one step of
   * the attack.
   */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {'name':'pgd-at'}                            | s(x*) eval                                 | s(a)
          {'name':'pgd-at','cleanPass':true}           | s(x*) eval                                 | s(a), s(x)
          {'name':'trades'}                            | s(x) eval, s(x*) eval                      | s(x), s(a), s(x)
          {'name':'trades','reference':'paper'}        | s(x) eval, s(x*) eval                      | s(x), s(a)
          {'name':'mart'}                              | s(x*) eval                                 | s(x), s(a)
          {'name':'kd'}                                | none                                       | s(x), t0(x) eval
          {'name':'kd','alpha':0}                      | none                                       | s(x)
          {'name':'drkd'}                              | none                                       | s(x), t0(x) eval
          {'name':'ard'}                               | s(x*) eval                                 | s(a), t0(x) eval, s(x)
          {'name':'ard','reference':'paper'}           | s(x*) eval                                 | s(a), t0(x) eval
          {'name':'ard','reference':'paper','alpha':0} | s(x*) eval                                 | s(a), s(x)
          {'name':'iad'}                               | s(x*) eval                                 | t0(x) eval, s(a), s(a), t0(a) eval, s(x)
          {'name':'iad','begin':0}                     | s(x*) eval                                 | t0(x) eval, s(a), s(a), t0(a) eval, s(x), s(x)
          {'name':'iad','reference':'paper'}           | s(x*) eval                                 | t0(x) eval, s(a), t0(a) eval
          {'name':'iad','reference':'paper','begin':0,'alpha':0.5} | s(x*) eval                     | t0(x) eval, s(a), t0(a) eval, s(x)
          {'name':'iad','version':'II'}                | s(x*) eval                                 | s(a), t0(a) eval, t1(a) eval
          {'name':'iad','version':'II','alpha2':0}     | s(x*) eval                                 | s(a), t0(a) eval
          {'name':'iad','version':'II','begin':0}      | s(x*) eval                                 | s(a), t0(a) eval, t1(a) eval, s(x)
          {'name':'rslad'}                             | t0(x) eval, s(x*) eval                     | s(a), s(x)
          {'name':'ada-ad'}                            | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval
          {'name':'ada-ad','alpha':0.5}                | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval, t0(x) eval
          {'name':'ada-ad','alpha':0}                  | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(x) eval
          {'name':'ada-ad','reference':'paper'}        | t0(x*) eval, s(x*) eval                    | s(a), t0(a) eval
          {'name':'ada-iad'}                           | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval, s(x)
          {'name':'ada-iad','begin':0}                 | t0(x*) eval, s(x*) eval                    | s(x), s(a), t0(a) eval, s(x), s(x)
          {'name':'ada-iad','reference':'paper','begin':0} | t0(x*) eval, s(x*) eval                | s(a), t0(a) eval, s(x)
          {'name':'ca-mkd','beta':0}                   | none                                       | s(x), t0(x) eval, t1(x) eval
          """)
  void networksAreAskedInTheOrderOfTheScripts(String json, String inner, String outer) {
    boolean one = !json.contains("ca-mkd") && !json.contains("II");
    boolean none = json.matches(".*'(pgd-at|trades|mart)'.*");
    List<String> log = new ArrayList<>();
    Inputs inputs = inputs(1);
    Tensor adversarial = moved(inputs.images());
    Method method = watched(new Variant(json, none ? 0 : one ? 1 : 2), inputs, adversarial, log);
    student.train(true);
    Turn turn;
    try (Mode _ = Mode.eval(student)) {
      turn = method.begin(inputs);
      turn.objective().ifPresent(objective -> objective.at(inputs.images().mul(0.9)));
    }
    assertEquals(inner, log.isEmpty() ? "none" : String.join(", ", log));
    log.clear();
    turn.descend(adversarial);
    assertEquals(outer, String.join(", ", log));
  }

  private Method watched(Variant variant, Inputs inputs, Tensor adversarial, List<String> log) {
    networks(variant.teachers());
    List<Teacher> seen = new ArrayList<>();
    for (Teacher teacher : teachers) {
      WatchedNetwork network = new WatchedNetwork("t" + seen.size(), teacher.network(), log);
      network.knows(inputs.images(), "x");
      network.knows(adversarial, "a");
      seen.add(new Teacher(teacher.name(), teacher.role(), network, teacher.feature()));
    }
    WatchedNetwork watched = new WatchedNetwork("s", student, log);
    watched.knows(inputs.images(), "x");
    watched.knows(adversarial, "a");
    return create(variant.json(), setting(watched, seen));
  }

  @Test
  void rsladsTeacherIsAskedOnceABatchAndAnswersForItsOwnBatchOnly() {
    Method method = method(new Variant("{'name':'rslad'}", 1));
    Inputs first = inputs(1);
    Tensor adversarial = moved(first.images());
    double alone = method.begin(first).descend(adversarial).total().item();
    method.begin(first);
    assertEquals(alone, method.begin(first).descend(adversarial).total().item(), 0);
    Inputs other = new Inputs(first.images().mul(0.5), first.labels(), first.indices(), 1, 2, 1);
    double fresh = method.begin(other).descend(adversarial).total().item();
    method.begin(first);
    assertEquals(fresh, method.begin(other).descend(adversarial).total().item(), 0);
    assertNotEquals(alone, fresh, 1e-6);
  }
}
