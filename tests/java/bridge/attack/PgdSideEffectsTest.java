package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a network must not notice of projected gradient ascent. */
class PgdSideEffectsTest extends ShortPgdTest {
  private static Map<String, double[]> values(Map<String, Tensor> tensors) {
    Map<String, double[]> values = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> values.put(name, tensor.toDoubles()));
    return values;
  }

  private static boolean same(Map<String, double[]> a, Map<String, double[]> b) {
    return a.keySet().equals(b.keySet())
        && a.keySet().stream().allMatch(name -> Arrays.equals(a.get(name), b.get(name)));
  }

  @Test
  void evaluationModeLeavesBuffersAndParametersBitIdentical() {
    Network network = Samples.fresh(12);
    Map<String, double[]> before = values(network.stateDict());
    assertTrue(before.keySet().stream().anyMatch(name -> name.endsWith("running_var")));
    Tensor images = Samples.random(16, 4, 1, 12, 12);
    in(Pgd.NetworkMode.EVAL).perturb(network, images, labels(4), Samples.noise(17));
    assertTrue(same(before, values(network.stateDict())));
  }

  @Test
  void trainingModeMovesTheRunningStatisticsOnly() {
    Network network = Samples.fresh(12);
    network.train(false);
    Map<String, double[]> buffers = values(network.buffers());
    Map<String, double[]> parameters = values(network.parameters());
    Tensor images = Samples.random(16, 4, 1, 12, 12);
    in(Pgd.NetworkMode.TRAIN).perturb(network, images, labels(4), Samples.noise(17));
    assertFalse(same(buffers, values(network.buffers())));
    assertTrue(same(parameters, values(network.parameters())));
  }

  @Test
  void parametersWithoutAGradientGetNone() {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(18, 4, 1, 12, 12);
    strong(2).perturb(network, images, labels(4), Samples.noise(19));
    network.parameters().forEach((name, p) -> assertNull(p.grad(), name));
    network.parameters().forEach((name, p) -> assertTrue(p.requiresGrad(), name));
  }

  @Test
  void gradientsThatAreThereKeepTheirBits() {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(18, 4, 1, 12, 12);
    Losses.crossEntropy(network.logits(images), labels(4)).backward();
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    network.parameters().forEach((name, p) -> gradients.put(name, p.grad()));
    Map<String, double[]> before = values(gradients);
    strong(2).perturb(network, images, labels(4), Samples.noise(19));
    network.parameters().forEach((name, p) -> gradients.put(name, p.grad()));
    assertTrue(same(before, values(gradients)));
  }

  private static Stream<Arguments> modes() {
    return Stream.of(Pgd.NetworkMode.values())
        .flatMap(mode -> Stream.of(true, false).map(before -> Arguments.of(mode, before)));
  }

  @ParameterizedTest
  @MethodSource("modes")
  void theModeIsRestored(Pgd.NetworkMode mode, boolean before) {
    Network network = Samples.fresh(12);
    network.train(before);
    Tensor images = Samples.random(20, 4, 1, 12, 12);
    Objective objective =
        ImageObjectives.of(
            network,
            x -> {
              assertEquals(mode == Pgd.NetworkMode.TRAIN, network.training());
              return network.logits(x).sum();
            });
    in(mode).perturb(network, objective, images, Samples.noise(21));
    assertEquals(before, network.training());
  }

  @ParameterizedTest
  @MethodSource("modes")
  void theModeIsRestoredAndNothingLeaksWhenTheObjectiveFails(Pgd.NetworkMode mode, boolean before) {
    Network network = Samples.fresh(12);
    network.train(before);
    Tensor images = Samples.random(20, 4, 1, 12, 12);
    Objective broken =
        ImageObjectives.of(
            network,
            x -> {
              network.logits(x);
              throw new UsageException("no value");
            });
    long alive = Scope.alive();
    try (Scope _ = Scope.open("attacks")) {
      var noise = Samples.noise(21);
      assertThrows(UsageException.class, () -> in(mode).perturb(network, broken, images, noise));
    }
    assertEquals(before, network.training());
    assertEquals(alive, Scope.alive());
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void asManyTensorsAreAliveAfterAsBefore(Attack attack) {
    Network network = Samples.fresh(12);
    Tensor images = Samples.random(22, 4, 1, 12, 12);
    Tensor labels = labels(4);
    long alive = Scope.alive();
    for (int i = 0; i < 3; i++) {
      try (Scope _ = Scope.open("attacks")) {
        var noise = Samples.noise(23);
        long before = Scope.alive();
        attack.perturb(network, images, labels, noise);
        assertEquals(before + 1, Scope.alive(), "the result alone is left");
      }
      assertEquals(alive, Scope.alive());
    }
  }
}
