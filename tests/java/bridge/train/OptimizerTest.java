package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.checkpoint.TensorFile;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonParser;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Our optimisers beside PyTorch's, step by step: tests/peer/make_optimizer_trajectories.py. */
final class OptimizerTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("golden"), "train", "optimizers.safetensors");

  /** Float32 carries about 6e-8; eight steps in another order of operations stay well below. */
  private static final double TOLERANCE = 1e-6;

  private static final List<String> NAMES = List.of("a", "b");

  private static Optimizer optimizer(String json, Map<String, Tensor> parameters) {
    return Optimizer.from(new Options("optimizer", JsonParser.parseString(json).getAsJsonObject()))
        .over(parameters);
  }

  private static Map<String, Tensor> parameters(TensorFile golden) {
    Map<String, Tensor> parameters = new LinkedHashMap<>();
    for (String name : NAMES) {
      parameters.put(name, golden.tensors().get("start." + name).copy().requiresGrad_(true));
    }
    return parameters;
  }

  /** Leaves this gradient in a parameter, as a loss would. */
  private static void give(Tensor parameter, Tensor gradient) {
    parameter.mul(gradient.copy()).sum().backward();
  }

  private static void assertClose(String what, Tensor expected, Tensor found) {
    double scale = expected.abs().max().item();
    double difference = expected.sub(found.detach()).abs().max().item();
    assertTrue(
        difference <= TOLERANCE * scale,
        () -> "%s: largest difference %g of %g".formatted(what, difference, scale));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          sgd-plain    | {name: SGD, momentum: 0, weightDecay: 0}
          sgd-momentum | {name: SGD, momentum: 0.9, weightDecay: 5e-4}
          sgd-nesterov | {name: SGD, momentum: 0.8, weightDecay: 1e-2, nesterov: true}
          adamw        | {name: ADAMW, weightDecay: 1e-2}
          adamw-other  | {name: ADAMW, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weightDecay: 0.1}
          """)
  void followsPyTorchStepByStep(String golden, String json) {
    try (Scope _ = Scope.open("test");
        TensorFile file = TensorFile.read(GOLDEN)) {
      Map<String, Tensor> parameters = parameters(file);
      Optimizer optimizer = optimizer(json, parameters);
      double[] rates = file.tensors().get("rates").toDoubles();
      assertEquals(8, rates.length);
      for (int i = 0; i < rates.length; i++) {
        int step = i;
        parameters.forEach(
            (name, p) -> give(p, file.tensors().get("gradient." + name).select(0, step)));
        try (NoGrad _ = NoGrad.enter()) {
          optimizer.step(rates[i]);
        }
        parameters.forEach(
            (name, p) ->
                assertClose(
                    "%s %s step %d".formatted(golden, name, step + 1),
                    file.tensors().get(golden + "." + name).select(0, step),
                    p));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"SGD", "ADAMW"})
  void stateIsAllThatAContinuationNeeds(String name) {
    try (Scope _ = Scope.open("test");
        TensorFile file = TensorFile.read(GOLDEN)) {
      Map<String, Tensor> first = parameters(file);
      Optimizer before = optimizer("{name: %s}".formatted(name), first);
      step(before, first, file, 0);
      step(before, first, file, 1);
      Map<String, Tensor> second = parameters(file);
      Optimizer after = optimizer("{name: %s}".formatted(name), second);
      assertEquals(before.state().keySet(), after.state().keySet());
      try (NoGrad _ = NoGrad.enter()) {
        after.state().forEach((key, t) -> t.copy_(before.state().get(key)));
        second.forEach((key, t) -> t.copy_(first.get(key)));
      }
      step(before, first, file, 2);
      step(after, second, file, 2);
      first.forEach(
          (key, t) -> assertEquals(0, t.ne(second.get(key)).sum().itemLong(), name + " " + key));
    }
  }

  private static void step(
      Optimizer optimizer, Map<String, Tensor> parameters, TensorFile file, int step) {
    parameters.forEach(
        (name, p) -> give(p, file.tensors().get("gradient." + name).select(0, step)));
    try (NoGrad _ = NoGrad.enter()) {
      optimizer.step(0.1);
    }
  }

  @ParameterizedTest
  @CsvSource({"SGD", "ADAMW"})
  void gradientsAreClearedAndParametersWithoutOneStay(String name) {
    try (Scope _ = Scope.open("test");
        TensorFile file = TensorFile.read(GOLDEN)) {
      Map<String, Tensor> parameters = parameters(file);
      Tensor still = parameters.get("b").detach().copy();
      Optimizer optimizer = optimizer("{name: %s, weightDecay: 0.5}".formatted(name), parameters);
      give(parameters.get("a"), file.tensors().get("gradient.a").select(0, 0));
      try (NoGrad _ = NoGrad.enter()) {
        optimizer.step(0.1);
      }
      assertNull(parameters.get("a").grad());
      assertEquals(0, still.ne(parameters.get("b")).sum().itemLong());
    }
  }

  @Test
  void aStepLeavesNothingAlive() {
    try (Scope _ = Scope.open("test");
        TensorFile file = TensorFile.read(GOLDEN)) {
      Map<String, Tensor> parameters = parameters(file);
      List<Long> alive = new ArrayList<>();
      Optimizer optimizer = optimizer("{name: ADAMW}", parameters);
      for (int i = 0; i < 3; i++) {
        try (Scope _ = Scope.open("step")) {
          step(optimizer, parameters, file, i);
        }
        alive.add(Scope.alive());
      }
      assertEquals(alive.get(0), alive.get(1));
      assertEquals(alive.get(1), alive.get(2));
    }
  }
}
