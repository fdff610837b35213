package bridge.method.parts;

import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the student descends, a scalar, and its named parts for the log.
 *
 * <p>The parts are detached scalars, already multiplied by their weights, so they sum to the total.
 */
public final class Loss {
  private Tensor total;
  private final Map<String, Tensor> terms = new LinkedHashMap<>();

  /** Adds weight · value under this name; a weight of 0 adds a term that is 0. */
  public Loss plus(String name, double weight, Tensor value) {
    Tensor term = weight == 1 ? value : value.mul(weight);
    terms.put(name, term.detach());
    total = total == null ? term : total.add(term);
    return this;
  }

  public Tensor total() {
    return total;
  }

  public Map<String, Tensor> terms() {
    return terms;
  }
}
