package bridge.train;

import bridge.method.parts.Loss;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Sums of each loss term over an epoch's images, in float64 on the device, so that nothing is read
 * on the host per step. Terms may appear later in a run (feature terms do).
 */
final class LossSums {
  private static final String PREFIX = "sums/";

  private final Scope run;
  private final Map<String, Tensor> sums = new LinkedHashMap<>();

  LossSums(Scope run) {
    this.run = run;
  }

  void add(Loss loss, long images) {
    try (Scope _ = Scope.open("sums");
        NoGrad _ = NoGrad.enter()) {
      add("total", loss.total(), images);
      loss.terms().forEach((name, value) -> add(name, value, images));
    }
  }

  private void add(String name, Tensor value, long images) {
    Tensor float64 = value.detach().to(DType.FLOAT64);
    Tensor sum = sums.get(name);
    if (sum == null) {
      sum = run.adopt(float64.zerosLike());
      sums.put(name, sum);
    }
    sum.add_(float64, images);
  }

  /** Means over so many images, then everything is 0 again. */
  Map<String, Double> means(long images) {
    Map<String, Double> means = values();
    means.replaceAll((name, sum) -> sum / Math.max(1, images));
    sums.values().forEach(Tensor::zero_);
    return means;
  }

  /** The sums so far; read on the host. */
  Map<String, Double> values() {
    return read(sums);
  }

  /** Scalars, read on the host in one copy: each read waits for the device. */
  static Map<String, Double> read(Map<String, Tensor> scalars) {
    Map<String, Double> values = new LinkedHashMap<>();
    if (scalars.isEmpty()) {
      return values;
    }
    try (Scope _ = Scope.open("read")) {
      List<Tensor> all =
          scalars.values().stream().map(t -> t.detach().to(DType.FLOAT64).reshape()).toList();
      double[] read = Tensor.stack(all, 0).toDoubles();
      scalars.keySet().forEach(name -> values.put(name, read[values.size()]));
    }
    return values;
  }

  /** The sums by the names they are saved under. */
  Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    sums.forEach((name, sum) -> state.put(PREFIX + name, sum));
    return state;
  }

  /** Takes over a saved sum; other names are not for here. */
  void restore(String name, Tensor value) {
    if (name.startsWith(PREFIX)) {
      sums.put(name.substring(PREFIX.length()), run.adopt(value.copy()));
    }
  }
}
