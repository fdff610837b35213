package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.Teacher;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What holds for ALP, PeerAiD, KD+SWA, VFD-Adv, FitNets and CRD alike: gradients, terms, refusals.
 */
class AcrossMethodsTest extends SmallBatchTest {
  /** What the student and the method train; of the peer, see below. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'alp', 'lambda': 3, 'labelSmoothing': 0.2}",
        "{'name': 'kd-swa'}",
        "{'name': 'kd-swa', 'temperature': 1, 'lambdaCe': 0, 'lambdaClean': 2, 'lambdaAdv': 0}",
        "{'name': 'vfd-adv'}",
        "{'name': 'vfd-adv', 'featHead': 'LINEAR', 'lambda': 3, 'featDistance': 'COSINE'}",
        "{'name': 'vfd-adv', 'featDistance': 'MSE_NORMALISED', 'featLayer': 'map'}",
        "{'name': 'vfd-adv', 'base': 'TRADES'}",
        "{'name': 'vfd-adv', 'base': 'TRADES', 'beta': 0.5, 'featHead': 'LINEAR'}",
        "{'name': 'fitnets', 'featLayer': 'map'}",
        "{'name': 'fitnets', 'featLayer': 'map', 'alpha': 2, 'beta': 3, 'gamma': 0.5}",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 2}",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 1}",
        "{'name': 'crd', 'negatives': 3}",
        "{'name': 'crd', 'negatives': 9, 'featDim': 4, 'alpha': 1, 'nceTemperature': 0.5}",
        "{'name': 'crd', 'negatives': 3, 'reference': 'PAPER'}"
      })
  void gradientsAreThoseOfFiniteDifferences(String json) {
    Method method = method(json);
    Inputs inputs = inputs(2);
    method.begin(inputs).descend(adversarial); // CRD's constants are set
    Map<String, Tensor> all = new LinkedHashMap<>(student.parameters());
    all.putAll(method.parameters());
    gradientsAgree(method, all, () -> method.begin(inputs).descend(adversarial));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'alp'}",
        "{'name': 'peer-aid'}",
        "{'name': 'kd-swa'}",
        "{'name': 'vfd-adv'}",
        "{'name': 'vfd-adv', 'base': 'TRADES'}"
      })
  void theAttackClimbsTheGradientOfItsObjective(String json) {
    Method method = method(json);
    Objective objective = method.begin(inputs(1)).objective().orElseThrow();
    Tensor x = adversarial.detach().requiresGrad_(true);
    Tensor gradient = objective.at(x).gradient(x);
    FiniteDifferences.compare("x", x, gradient, TOLERANCE, () -> objective.at(x).item());
    assertTrue(gradient.abs().max().item() > 1e-9);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'kd-swa'}",
        "{'name': 'vfd-adv', 'base': 'TRADES'}",
        "{'name': 'fitnets', 'featLayer': 'map', 'alpha': 1}",
        "{'name': 'crd', 'negatives': 3, 'alpha': 1}"
      })
  void finishedTeachersGetNoGradient(String json) {
    Method method = method(json);
    for (Teacher teacher : teachers) {
      teacher.network().parameters().values().forEach(p -> p.requiresGrad_(true));
    }
    method.begin(inputs(1)).descend(adversarial).total().backward();
    for (Teacher teacher : teachers) {
      teacher.network().parameters().forEach((name, p) -> assertNull(p.grad(), name));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{'name': 'peer-aid', 'lambda1': 1}; peerCe,peerKl,ce,peer,self",
        "{'name': 'kd-swa'}; ce,clean,adv",
        "{'name': 'vfd-adv'}; ce,featAdv,featNat",
        "{'name': 'vfd-adv', 'base': 'TRADES'}; ce,kl,featAdv,featNat",
        "{'name': 'fitnets', 'featLayer': 'map'}; ce,kd,hint",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 1}; hint",
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 0}; ce,kd",
        "{'name': 'crd', 'negatives': 3}; ce,kd,crd"
      })
  void termsHaveNamesAndSumToTheTotal(String json, String names) {
    Loss loss = method(json).begin(inputs(1)).descend(adversarial);
    assertEquals(names, String.join(",", loss.terms().keySet()));
    double sum = loss.terms().values().stream().mapToDouble(Tensor::item).sum();
    assertEquals(sum, loss.total().item(), 1e-12);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"{'name': 'fitnets', 'featLayer': 'map'}", "{'name': 'crd', 'negatives': 3}"})
  void cleanMethodsAttackNothingAndSeeCleanImagesOnly(String json) {
    Method method = method(json);
    assertTrue(method.begin(inputs(1)).objective().isEmpty());
    double one = method.begin(inputs(1)).descend(adversarial).total().item();
    Method other = method(json);
    assertEquals(one, other.begin(inputs(1)).descend(adversarial.mul(0)).total().item(), 0);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{'name': 'peer-aid'}; CLEAN; role PEER",
        "{'name': 'peer-aid'}; PEER,PEER; role PEER",
        "{'name': 'peer-aid', 'lambda4': 1}; PEER; did you mean lambda1?",
        "{'name': 'kd-swa'}; CLEAN; role ADVERSARIAL",
        "{'name': 'kd-swa'}; CLEAN,CLEAN; role ADVERSARIAL",
        "{'name': 'vfd-adv'}; CLEAN,CLEAN; one finished teacher",
        "{'name': 'vfd-adv', 'base': 'MART'}; CLEAN; PGD_AT, TRADES",
        "{'name': 'fitnets'}; CLEAN; method.featLayer is missing",
        "{'name': 'fitnets', 'featLayer': 'pool'}; CLEAN; needs a map",
        "{'name': 'crd'}; PEER; finished",
        "{'name': 'crd', 'nceMomentum': 2}; CLEAN; method.nceMomentum must be"
      })
  void whatDoesNotFitIsRefusedInOneLine(String json, String roles, String message) {
    UsageException e =
        assertThrows(
            UsageException.class,
            () -> {
              student = new ToyNetwork(1, 2, 4, 5, CLASSES, 3);
              teachers = new ArrayList<>();
              for (String role : roles.split(",")) {
                add(Teacher.Role.valueOf(role), 5, "pool");
              }
              TestMethods.of(options(json), setting());
            });
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }
}
