package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.ScopedTest;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The fused steps, and beside them the plain operations they stand for: equal in every bit. */
final class FusedKernelTest extends ScopedTest {
  private static final int STEPS = 12;

  /** Some for the kernel, some with elements left over for the loop; the largest for threads. */
  private static final List<long[]> SHAPES =
      List.of(
          new long[] {64},
          new long[] {10},
          new long[] {16, 3, 3, 3},
          new long[] {64, 16, 3, 3},
          new long[] {100, 1000},
          new long[] {1},
          new long[] {77, 13});

  /** What the optimiser does to one parameter, with its state. */
  private interface Plain {
    void step(Tensor parameter, Tensor gradient, List<Tensor> state, int step, double rate);
  }

  private static void check(String json, int stateTensors, Plain plain) {
    Generator noise = Generator.on(Device.CPU, 3);
    Map<String, Tensor> fused = new LinkedHashMap<>();
    List<Tensor> expected = new ArrayList<>();
    List<List<Tensor>> states = new ArrayList<>();
    for (long[] shape : SHAPES) {
      Tensor p = Tensor.randn(noise, Device.CPU, shape);
      // channels last, as a student's convolutions may lie
      Tensor laid = shape.length == 4 ? p.channelsLast() : p.copy();
      fused.put("p" + fused.size(), laid.requiresGrad_(true));
      expected.add(p);
      List<Tensor> state = new ArrayList<>();
      for (int i = 0; i < stateTensors; i++) {
        state.add(p.zerosLike());
      }
      states.add(state);
    }
    Optimizer optimizer =
        Optimizer.from(new Options("optimizer", JsonParser.parseString(json).getAsJsonObject()))
            .over(fused);
    for (int step = 1; step <= STEPS; step++) {
      double rate = 0.1 / step;
      for (int i = 0; i < SHAPES.size(); i++) {
        Tensor g = Tensor.randn(noise, Device.CPU, SHAPES.get(i)).mul_(0.01);
        fused.get("p" + i).mul(g.copy()).sum().backward();
        try (NoGrad _ = NoGrad.enter()) {
          plain.step(expected.get(i), g, states.get(i), step, rate);
        }
      }
      try (NoGrad _ = NoGrad.enter()) {
        optimizer.step(rate);
      }
      for (int i = 0; i < SHAPES.size(); i++) {
        Tensor p = fused.get("p" + i);
        assertEquals(0, p.detach().ne(expected.get(i)).sum().itemLong(), "step " + step + " " + p);
      }
    }
    assertTrue(expected.get(3).isFinite().logicalNot().sum().itemLong() == 0);
  }

  @ParameterizedTest
  @CsvSource({
    "0.9, 0, false",
    "0.9, 5e-4, false",
    "0.8, 1e-2, true",
    "0.9, 0, true",
    "0, 5e-4, false"
  })
  void sgdIsTheSameInEveryBit(double momentum, double decay, boolean nesterov) {
    String json =
        "{name: SGD, momentum: %s, weightDecay: %s, nesterov: %s}"
            .formatted(momentum, decay, nesterov);
    check(
        json,
        1,
        (p, g, state, _, rate) -> {
          Tensor v = state.get(0);
          g.add_(p, decay);
          v.mul_(momentum).add_(g);
          if (nesterov) {
            g.add_(v, momentum);
          }
          p.add_(nesterov ? g : v, -rate);
        });
  }

  @ParameterizedTest
  @CsvSource({"0.9, 0.999, 1e-8, 0.01", "0.8, 0.95, 1e-4, 0"})
  void adamWIsTheSameInEveryBit(double beta1, double beta2, double epsilon, double decay) {
    String json =
        "{name: ADAMW, beta1: %s, beta2: %s, epsilon: %s, weightDecay: %s}"
            .formatted(beta1, beta2, epsilon, decay);
    check(
        json,
        2,
        (p, g, state, step, rate) -> {
          Tensor square = state.get(1);
          p.mul_(1 - rate * decay);
          state.get(0).lerp_(g, 1 - beta1);
          square.mul_(beta2).addcmul_(g, g, 1 - beta2);
          double root = Math.sqrt(1 - Math.pow(beta2, step));
          Tensor below = square.sqrt().div(root).add_(epsilon);
          p.addcdiv_(state.get(0), below, -rate / (1 - Math.pow(beta1, step)));
        });
  }
}
