package bridge.checkpoint;

import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Opaque;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Where in a checkpoint the network's tensors are: at the top, or under a name that training
 * scripts use.
 *
 * @param under the names that lead to them, joined by a dot; empty for the top
 * @param tensors by name, in order
 * @param ignored names of what lies beside them
 */
record Weights(String under, Map<String, View> tensors, List<String> ignored) {
  /** In the order in which they are tried. */
  private static final List<String> WRAPPERS =
      List.of(
          "state_dict",
          "net",
          "model",
          "model_state_dict",
          "student",
          "swa_state_dict",
          "last",
          "best");

  private static final int DEEPEST = 3;
  private static final int NAMES_SHOWN = 8;

  /**
   * Finds them.
   *
   * @param choice the dotted name to look under; null to try the usual ones
   */
  static Weights find(Path file, Object root, String choice) {
    List<String> under = new ArrayList<>();
    List<String> ignored = new ArrayList<>();
    Dict dict = dict(file, root, under);
    if (choice != null) {
      for (String name : choice.split("\\.")) {
        if (!dict.entries().containsKey(name)) {
          throw new CheckpointException(
              file,
              "has no entry %s; it has %s"
                  .formatted(CheckpointException.printable(choice), names(dict)));
        }
        under.add(name);
        dict = dict(file, dict.entries().get(name), under);
      }
    }
    while (under.size() < DEEPEST && !holdsTensors(dict)) {
      Dict outer = dict;
      String wrapper =
          WRAPPERS.stream()
              .filter(name -> holdsObjects(outer.entries().get(name)))
              .findFirst()
              .orElseThrow(() -> noWeights(file, names(outer)));
      names(outer, ignored, wrapper);
      under.add(wrapper);
      dict = dict(file, outer.entries().get(wrapper), under);
    }
    if (!holdsTensors(dict)) {
      throw noWeights(file, names(dict));
    }
    return new Weights(String.join(".", under), tensors(file, dict, ignored), ignored);
  }

  private static Dict dict(Path file, Object value, List<String> under) {
    String where = under.isEmpty() ? "" : " under " + String.join(".", under);
    return switch (value) {
      case Dict d -> d;
      case Opaque o -> throw PickledFile.wholeObject(file, o, under);
      case null, default -> throw noWeights(file, "no names" + where);
    };
  }

  private static boolean holdsTensors(Dict dict) {
    return dict.entries().values().stream().anyMatch(View.class::isInstance);
  }

  private static boolean holdsObjects(Object value) {
    return value instanceof Dict d && !d.entries().isEmpty() || value instanceof Opaque;
  }

  private static Map<String, View> tensors(Path file, Dict dict, List<String> ignored) {
    Map<String, View> tensors = new LinkedHashMap<>();
    for (var e : dict.entries().entrySet()) {
      switch (e.getValue()) {
        case View v when e.getKey() instanceof String name -> tensors.put(name, v);
        case Opaque o when !o.type().module().startsWith("numpy") ->
            throw new CheckpointException(
                file,
                ("holds an object of class %s among its tensors (key %s); in Python, save only"
                        + " these: {k: v for k, v in state.items() if torch.is_tensor(v)}")
                    .formatted(o.type(), printable(e.getKey())));
        case null, default -> ignored.add(printable(e.getKey()));
      }
    }
    return tensors;
  }

  private static void names(Dict dict, List<String> to, String except) {
    dict.entries().keySet().stream()
        .filter(key -> !except.equals(key))
        .limit(MappedTensors.MOST_TENSORS)
        .forEach(key -> to.add(printable(key)));
  }

  private static String names(Dict dict) {
    String first =
        dict.entries().keySet().stream()
            .limit(NAMES_SHOWN)
            .map(Weights::printable)
            .collect(Collectors.joining(", "));
    return dict.entries().isEmpty()
        ? "no names"
        : first + (dict.entries().size() > NAMES_SHOWN ? ", …" : "");
  }

  /** A key in words; only plain values are printed, since another may hold itself. */
  private static String printable(Object key) {
    return switch (key) {
      case String s -> CheckpointException.printable(s);
      case Long n -> n.toString();
      case null, default -> "?";
    };
  }

  private static CheckpointException noWeights(Path file, String found) {
    return new CheckpointException(
        file,
        ("holds no named tensors (it has %s); if they lie deeper, bridge convert takes them out:"
                + " --under NAME.NAME; else in Python: torch.save(model.state_dict(), path)")
            .formatted(found));
  }
}
