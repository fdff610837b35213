package bridge.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The statements that gather each value's gradient, from the logits back to the images. */
final class Adjoints {
  /**
   * A value's gradient as far as it is known.
   *
   * @param fresh whether the variable is nobody else's, so that more may be added to it
   */
  private record Part(String variable, boolean fresh) {}

  private final Map<Integer, List<Part>> parts = new HashMap<>();
  private final StringBuilder body = new StringBuilder();
  private int variables;

  boolean has(int id) {
    return parts.containsKey(id);
  }

  /** A part that others may see, too. */
  void share(int id, String variable) {
    give(id, variable, false);
  }

  /** A part that was computed for this value alone. */
  void fresh(int id, String format, Object... arguments) {
    give(id, assign(format, arguments), true);
  }

  private void give(int id, String variable, boolean fresh) {
    parts.computeIfAbsent(id, _ -> new ArrayList<>()).add(new Part(variable, fresh));
  }

  /** A new variable of this value. */
  String assign(String format, Object... arguments) {
    String variable = "g" + ++variables;
    body.append("  %s = %s\n".formatted(variable, format.formatted(arguments)));
    return variable;
  }

  /** All that was given to a value, in one variable. */
  String sum(int id) {
    List<Part> all = parts.get(id);
    if (all == null) {
      throw new Graph.Unsupported("its logits do not depend on the images");
    }
    Part total = all.stream().filter(Part::fresh).findFirst().orElse(all.get(0));
    boolean fresh = total.fresh;
    String sum = total.variable;
    for (Part part : all) {
      if (part != total) {
        sum = assign("torch.%s(%s, %s)", fresh ? "add_" : "add", sum, part.variable);
        fresh = true;
      }
    }
    return sum;
  }

  @Override
  public String toString() {
    return body.toString();
  }
}
