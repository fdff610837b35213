package bridge.method.parts;

import bridge.Options;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * MTARD's adaptive normalisation (Zhao et al., ECCV 2022; "normalisation loss balance" in Zhao et
 * al., TPAMI 2024): weights of a method's loss terms that follow how far each term has fallen since
 * the run's first step, so that the term that has fallen less gets more. At every step, before its
 * loss is formed, f being the schedule's factor of the learning rate:
 *
 * <pre>
 *   l_i = (L_i / L_i(first step))^β        w_i ← w_i + r · f · (l_i / Σ_j l_j − w_i)
 * </pre>
 *
 * The weights begin with the sum 1 and keep it: MTARD's code writes one of its two as 1 minus the
 * other, B-MTARD's divides both by their sum, which is the same up to rounding in float64. They are
 * constants in the loss. Everything stays on the device.
 */
public final class LossBalance {
  /** Below this a loss counts as this, so that nothing is divided by 0. */
  private static final double TINY = 1e-30;

  /**
   * @param learnRate r
   * @param exponent β
   */
  public record Settings(double learnRate, double exponent) {
    public static Settings from(Options options) {
      return new Settings(
          options.number("weightLearnRate", 0.025, 0, 1),
          options.number("weightExponent", 1, 0, 100));
    }

    /**
     * @param initial the weights before the first step; they sum to 1
     */
    public LossBalance over(Device device, double... initial) {
      return new LossBalance(this, initial, device);
    }
  }

  private final Settings settings;

  /** Float64 [n]: the terms at the run's first step; 0 before it. */
  private final Tensor first;

  /** Float64 [n]. */
  private final Tensor weights;

  private LossBalance(Settings settings, double[] initial, Device device) {
    this.settings = settings;
    this.first = Tensor.zeros(DType.FLOAT64, device, initial.length);
    this.weights = Tensor.of(initial, initial.length).to(device);
  }

  /**
   * Moves the weights by this step's losses.
   *
   * @param losses n scalars
   * @param scheduleFactor of the learning rate at this step, with which r falls
   * @return n scalars of the losses' type
   */
  public List<Tensor> weigh(double scheduleFactor, Tensor... losses) {
    try (Scope scope = Scope.open("balance");
        NoGrad _ = NoGrad.enter()) {
      Tensor current = Tensor.stack(List.of(losses), 0).to(DType.FLOAT64).clampMin(TINY);
      first.copy_(first.gt(0).where(first, current));
      Tensor ratios = current.div(first).pow(settings.exponent);
      weights.lerp_(ratios.div(ratios.sum()), settings.learnRate * scheduleFactor);
      Tensor all = weights.copy().to(losses[0].dtype());
      return IntStream.range(0, losses.length).mapToObj(i -> scope.keep(all.select(0, i))).toList();
    }
  }

  /** What a resumed run needs. */
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    state.put("balance.first", first);
    state.put("balance.weights", weights);
    return state;
  }

  /** The weights as they stand, read from the device. */
  public Map<String, Double> summary(String... names) {
    return summary(weights, names);
  }

  /** A vector's values under these names. */
  public static Map<String, Double> summary(Tensor vector, String... names) {
    double[] values = vector.toDoubles();
    Map<String, Double> summary = new LinkedHashMap<>();
    for (int i = 0; i < names.length; i++) {
      summary.put(names[i], values[i]);
    }
    return summary;
  }
}
