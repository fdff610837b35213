package bridge.method.parts;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * What the student descends, a scalar, and its named parts for the log.
 *
 * <p>The parts are detached scalars, already multiplied by their weights, so they sum to the total.
 */
public final class Loss {
  private Tensor total;
  private final Map<String, Tensor> terms = new LinkedHashMap<>();

  /** Terms of weight 0 from before there was any other: what they would have been made of. */
  private final List<Supplier<Tensor>> unweighted = new ArrayList<>();

  /** Adds weight · value under this name; a weight of 0 adds a term that is 0. */
  public Loss plus(String name, double weight, Tensor value) {
    Tensor term = weight == 1 ? value : value.mul(weight);
    if (total == null) {
      terms.replaceAll((_, _) -> term.detach().zerosLike());
    }
    terms.put(name, term.detach());
    total = total == null ? term : total.add(term);
    return this;
  }

  /**
   * As {@link #plus(String, double, Tensor)}; where the weight is 0 the value is not asked for. For
   * terms that cost a pass of a network, and by which nothing trains that does not train by others.
   */
  public Loss plus(String name, double weight, Supplier<Tensor> value) {
    if (weight != 0) {
      return plus(name, weight, value.get());
    }
    terms.put(name, total == null ? null : total.detach().zerosLike());
    unweighted.add(value);
    return this;
  }

  /** The sum of the terms; where all their weights are 0, a 0 to descend. */
  public Tensor total() {
    if (total == null && !unweighted.isEmpty()) {
      plus(terms.keySet().iterator().next(), 0, unweighted.get(0).get());
    }
    return total;
  }

  public Map<String, Tensor> terms() {
    total();
    return terms;
  }
}
