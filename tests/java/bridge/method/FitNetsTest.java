package bridge.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.architecture.Init;
import bridge.method.parts.Regressor;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** FitNets: the two stages of the paper, and the regressor. */
class FitNetsTest extends SmallBatchTest {
  @Test
  void thePapersFirstStageLeavesTheLastLayerAlone() {
    Method method = method("{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER'}");
    method.begin(inputs(100)).descend(adversarial).total().backward();
    assertNull(student.parameters().get("fc.weight").grad());
    assertTrue(student.parameters().get("hidden.weight").grad().abs().max().item() > 1e-6);
  }

  @Test
  void thePapersWeightOfTheTeacherFalls() {
    String json =
        "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER', 'hintEpochs': 10,"
            + " 'decayEpochs': 8}";
    Method method = method(json);
    double last = method.begin(inputs(1000)).descend(adversarial).terms().get("kd").item();
    double[] alpha = {4, 4, 3.25, 2.5, 1.75, 1, 1};
    int[] epochs = {11, 15, 16, 17, 18, 19, 20};
    for (int i = 0; i < epochs.length; i++) {
      double now = method.begin(inputs(epochs[i])).descend(adversarial).terms().get("kd").item();
      assertEquals(alpha[i], now / last, 1e-12, "epoch " + epochs[i]);
    }
  }

  @Test
  void thePaperHasNoRegressorWhereShapesAgree() {
    String json = "{'name': 'fitnets', 'featLayer': 'map', 'reference': 'PAPER'}";
    assertEquals(Map.of(), method(json).parameters());
    assertEquals(
        Set.of("regressor.weight", "regressor.bias"), method(json, 7).parameters().keySet());
    Method code = method("{'name': 'fitnets', 'featLayer': 'map'}");
    assertTrue(code.parameters().containsKey("regressor.bn.weight"));
    assertTrue(code.state().containsKey("regressor.bn.running_var"));
  }

  @ParameterizedTest
  @CsvSource({"8, 4, 3", "4, 8, 4", "8, 8, 1", "8, 6, 3", "7, 3, 5"})
  void regressorsBringMapsToTheTeachersSize(int from, int to, int kernel) {
    Generator g = Generator.on(Device.CPU, 1);
    Regressor regressor =
        new Regressor(
            new long[] {5, from, from},
            new long[] {6, to, to},
            true,
            true,
            Init.of(new Seeds(1), "heads", DType.FLOAT64, Device.CPU));
    Tensor weight = regressor.parameters().get("weight");
    assertEquals(kernel, weight.size(2));
    Tensor map = Tensor.empty(DType.FLOAT64, Device.CPU, 2, 5, from, from).normal_(0, 1, g);
    Tensor out = regressor.apply(map);
    assertArrayEquals(new long[] {2, 6, to, to}, out.sizes());
    assertEquals(0, out.min().item(), 0, "ReLU");
    double fanIn = weight.size(1) * kernel * kernel;
    double bound = 1 / Math.sqrt(fanIn);
    assertTrue(weight.abs().max().item() <= bound);
    assertTrue(weight.abs().max().item() > 0.9 * bound);
    assertEquals(
        0, regressor.buffers().get("bn.running_var").eq(Tensor.of(new float[] {1})).sum().item());
  }

  @Test
  void mapsThatCannotBeBroughtTogetherAreRefused() {
    Init init = Init.of(new Seeds(1), "heads", DType.FLOAT64, Device.CPU);
    for (boolean resizes : new boolean[] {true, false}) {
      UsageException e =
          assertThrows(
              UsageException.class,
              () ->
                  new Regressor(new long[] {5, 4, 4}, new long[] {5, 7, 7}, resizes, false, init));
      assertTrue(e.getMessage().contains("4×4"), e.getMessage());
      assertEquals(1, e.getMessage().lines().count());
    }
    assertThrows(
        UsageException.class,
        () -> new Regressor(new long[] {5, 4, 4}, new long[] {5, 8, 8}, false, false, init),
        "the paper's regressor makes no map larger");
  }
}
