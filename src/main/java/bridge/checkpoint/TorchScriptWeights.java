package bridge.checkpoint;

import bridge.pickle.Pickled.Opaque;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The parameters and buffers of a TorchScript module, named by the path of their submodule. */
final class TorchScriptWeights {
  private static final int DEEPEST = 64;

  private TorchScriptWeights() {}

  /** A module on the way down, and what of it is still to be seen. */
  private record Level(String prefix, Opaque module, Iterator<Map.Entry<Object, Object>> rest) {}

  static Weights find(Path file, Object root) {
    if (!(root instanceof Opaque module)) {
      throw new CheckpointException(file, "is a TorchScript archive without a module");
    }
    Map<String, View> tensors = new LinkedHashMap<>();
    // Modules on the way down only: one may stand in two places, but not inside itself.
    Set<Opaque> above = Collections.newSetFromMap(new IdentityHashMap<>());
    Deque<Level> levels = new ArrayDeque<>();
    descend("", module, above, levels);
    long seen = 0;
    while (!levels.isEmpty()) {
      Level level = levels.peek();
      if (!level.rest.hasNext()) {
        above.remove(levels.pop().module);
        continue;
      }
      var attribute = level.rest.next();
      String name = level.prefix + attribute.getKey();
      if (attribute.getValue() instanceof View v) {
        tensors.put(name, v);
      } else if (attribute.getValue() instanceof Opaque o) {
        if (levels.size() >= DEEPEST || above.contains(o)) {
          throw new CheckpointException(file, "is a TorchScript archive nested without end");
        }
        descend(name + ".", o, above, levels);
      }
      if (++seen > 10L * MappedTensors.MOST_TENSORS) {
        throw new CheckpointException(file, "is a TorchScript archive of too many attributes");
      }
    }
    return new Weights("", tensors, List.of());
  }

  private static void descend(
      String prefix, Opaque module, Set<Opaque> above, Deque<Level> levels) {
    above.add(module);
    levels.push(new Level(prefix, module, module.attributes().entrySet().iterator()));
  }
}
