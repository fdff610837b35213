package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.function.BinaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every check speaks up for a network that deserves it, and for no other. */
class ChecksTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static AutoAttack attack(AutoAttack.Version version) {
    return new AutoAttack(version, new Ball(Norm.LINF, 0.1));
  }

  private static List<String> warnings(AutoAttack.Version version, Network network) {
    Samples.Labelled sample = Samples.images(8);
    return Checks.before(attack(version), network, sample.images(), sample.labels());
  }

  private static List<String> warnings(Network network) {
    return warnings(AutoAttack.Version.STANDARD, network);
  }

  /** The images, and the teacher's logits at them, make another answer. */
  private static Network altered(BinaryOperator<Tensor> answer) {
    return new Altered(Samples.teacher()) {
      @Override
      Tensor answer(Tensor images, Tensor logits) {
        return answer.apply(images, logits);
      }
    };
  }

  private static void assertOne(String says, List<String> warnings) {
    assertEquals(1, warnings.size(), warnings::toString);
    assertTrue(warnings.getFirst().contains(says), warnings::toString);
    assertEquals(1, warnings.getFirst().lines().count());
  }

  @ParameterizedTest
  @EnumSource(AutoAttack.Version.class)
  void aGoodNetworkGetsNoWarning(AutoAttack.Version version) {
    assertEquals(List.of(), warnings(version, Samples.teacher()));
  }

  @Test
  void theNetworkIsLeftAsItWasAndNothingStaysAlive() {
    Network network = Samples.fresh(28);
    network.train(true);
    Samples.Labelled sample = Samples.images(8);
    long alive = Scope.alive();
    assertEquals(
        List.of(),
        Checks.before(
            attack(AutoAttack.Version.STANDARD), network, sample.images(), sample.labels()));
    assertEquals(alive, Scope.alive());
    assertTrue(network.training());
  }

  private static Network noisy() {
    Generator noise = Samples.noise(1);
    return altered((x, z) -> z.add(Tensor.randn(noise, Device.CPU, z.sizes()), 0.01));
  }

  @Test
  void randomAnswers() {
    assertOne("gives other logits for the same images each time", warnings(noisy()));
    assertOne("each time", warnings(AutoAttack.Version.PLUS, noisy()));
    assertEquals(List.of(), warnings(AutoAttack.Version.RAND, noisy()));
  }

  @Test
  void probabilities() {
    assertOne("gives probabilities, not logits", warnings(altered((x, z) -> z.softmax(1))));
    assertEquals(List.of(), warnings(altered((x, z) -> z.logSoftmax(1))));
  }

  @Test
  void noGradient() {
    assertOne("no gradient leads from", warnings(altered((x, z) -> z.detach())));
  }

  @Test
  void anotherAnswerWhileGradientsAreRecorded() {
    assertOne(
        "answers differently while gradients are recorded",
        warnings(altered((x, z) -> x.requiresGrad() ? z.neg() : z)));
  }

  @Test
  void answersThatDependOnTheBatch() {
    assertOne(
        "depend on the other images of the batch",
        warnings(altered((x, z) -> z.sub(z.meanKeep(0)))));
  }

  @Test
  void statisticsThatMove() {
    Network teacher = Samples.teacher();
    String counter =
        teacher.buffers().keySet().stream()
            .filter(name -> name.endsWith("num_batches_tracked"))
            .findFirst()
            .orElseThrow();
    Network moving =
        new Altered(teacher) {
          @Override
          Tensor answer(Tensor images, Tensor logits) {
            teacher.buffers().get(counter).increment_();
            return logits;
          }
        };
    assertOne("changes its own weights or statistics", warnings(moving));
  }

  private static Network classes(int classes) {
    Tensor weight = Tensor.randn(Samples.noise(2), Device.CPU, classes, 784);
    return new LinearNetwork(weight, Tensor.zeros(DType.FLOAT32, Device.CPU, classes));
  }

  @ParameterizedTest
  @CsvSource({
    "STANDARD, 2, apgd-t compares the 4 largest logits",
    "STANDARD, 3, apgd-t compares the 4 largest logits",
    "PLUS, 2, apgd-dlr compares the 3 largest logits",
    "PLUS, 3, apgd-t compares the 4 largest logits",
    "RAND, 2, apgd-dlr compares the 3 largest logits",
    "STANDARD, 4, 'towards the 3 others, all there are, where AutoAttack has 9'",
    "PLUS, 9, 'towards the 8 others, all there are, where AutoAttack has 9'"
  })
  void fewClasses(AutoAttack.Version version, int classes, String says) {
    assertOne(says, warnings(version, classes(classes)));
  }

  @ParameterizedTest
  @CsvSource({"RAND, 3", "RAND, 9", "STANDARD, 10", "PLUS, 11"})
  void enoughClasses(AutoAttack.Version version, int classes) {
    assertEquals(List.of(), warnings(version, classes(classes)));
  }

  @Test
  void zeroGradients() {
    assertEquals(Optional.empty(), Checks.zeroGradients(0));
    assertTrue(Checks.zeroGradients(3).orElseThrow().startsWith("3 images have a gradient of 0"));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.5, 0.499, 0.6})
  void squareMayFindALittle(double after) {
    assertFalse(Checks.square(0.5, after).isPresent());
  }

  @Test
  void squareMustNotFindMuch() {
    String warning = Checks.square(0.5, 0.48).orElseThrow();
    assertTrue(warning.startsWith("Square, which sees no gradients, took 2.0 %"), warning);
  }
}
