package bridge.method.parts;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How the teachers fare on the adversarial branch over an epoch, counted on the device: accuracy
 * before rectification (its complement is the fraction rectified) and mean weight, per teacher.
 */
public final class TeacherCounts {
  private final List<String> names;
  private final boolean rectifies;

  /** Float64 [2 K + 1]: right predictions, sums of weights, samples. */
  private final Tensor sums;

  public TeacherCounts(List<String> names, boolean rectifies, Device device) {
    this.names = names;
    this.rectifies = rectifies;
    this.sums = Tensor.zeros(DType.FLOAT64, device, 2L * names.size() + 1);
  }

  public Tensor tensor() {
    return sums;
  }

  public void add(List<Tensor> logits, Tensor weights, Tensor labels) {
    int k = names.size();
    try (Scope _ = Scope.open("counts");
        NoGrad _ = NoGrad.enter()) {
      List<Tensor> correct =
          logits.stream()
              .map(z -> Rectification.wrong(z, labels).logicalNot().to(DType.FLOAT64).sum())
              .toList();
      sums.narrow(0, 0, k).add_(Tensor.stack(correct, 0));
      sums.narrow(0, k, k).add_(weights.detach().to(DType.FLOAT64).sum(0));
      sums.narrow(0, 2L * k, 1).add_(labels.size(0));
    }
  }

  /** Reads the figures and starts anew. */
  public Map<String, Double> summary() {
    double[] values = sums.toDoubles();
    int k = names.size();
    double samples = Math.max(1, values[2 * k]);
    Map<String, Double> summary = new LinkedHashMap<>();
    for (int i = 0; i < k; i++) {
      summary.put(names.get(i) + ".accuracyAdv", values[i] / samples);
      summary.put(names.get(i) + ".rectified", rectifies ? 1 - values[i] / samples : 0);
      summary.put(names.get(i) + ".weight", values[k + i] / samples);
    }
    sums.zero_();
    return summary;
  }
}
