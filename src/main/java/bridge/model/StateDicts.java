package bridge.model;

import bridge.UsageException;
import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.StateDict;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Loads saved tensors into a network, converting type and device. */
public final class StateDicts {
  private static final int SHOWN = 3;

  /** Bytes of a file that are kept in memory beside their copies. */
  private static final long UNLOAD_EVERY = 1 << 26;

  private StateDicts() {}

  /**
   * Loads a checkpoint file of any layout the program reads.
   *
   * @throws UsageException if there is no such file
   * @throws bridge.checkpoint.CheckpointException if it cannot be read or does not fit, with the
   *     names; the network is then unchanged
   */
  public static void load(Network network, Path file) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    network.stateDict().forEach((name, t) -> shapes.put(name, t.sizes()));
    try (Scope _ = Scope.open("load");
        StateDict saved = Checkpoints.read(file)) {
      copy(network, saved.match(shapes), saved::unload);
    }
  }

  /**
   * Loads tensors by name. All must be there with their shapes and no others, except {@code
   * num_batches_tracked}, which may lack.
   *
   * @throws UsageException naming the first differences; the network is then unchanged
   */
  public static void load(Network network, Map<String, Tensor> tensors) {
    List<String> differences = differences(network.stateDict(), tensors);
    if (!differences.isEmpty()) {
      int more = differences.size() - SHOWN;
      throw new UsageException(
          "the saved tensors do not fit %s: %s%s"
              .formatted(
                  network.name(),
                  String.join(", ", differences.stream().limit(SHOWN).toList()),
                  more > 0 ? " and %d more".formatted(more) : ""));
    }
    copy(network, tensors, () -> {});
  }

  private static List<String> differences(Map<String, Tensor> state, Map<String, Tensor> saved) {
    List<String> all = new ArrayList<>();
    state.forEach(
        (name, target) -> {
          Tensor value = saved.get(name);
          if (value == null && !name.endsWith("num_batches_tracked")) {
            all.add(name + " is missing");
          } else if (value != null && !Arrays.equals(value.sizes(), target.sizes())) {
            String shape = Arrays.toString(value.sizes());
            all.add("%s is %s, not %s".formatted(name, shape, Arrays.toString(target.sizes())));
          }
        });
    saved.keySet().stream()
        .filter(name -> !state.containsKey(name))
        .forEach(name -> all.add(name + " is not expected"));
    return all;
  }

  private static void copy(Network network, Map<String, Tensor> tensors, Runnable unload) {
    Map<String, Tensor> state = network.stateDict();
    long inMemory = 0;
    try (NoGrad _ = NoGrad.enter()) {
      for (var e : tensors.entrySet()) {
        Tensor value = e.getValue();
        state.get(e.getKey()).copy_(value);
        inMemory += value.numel() * value.dtype().bytes();
        if (inMemory > UNLOAD_EVERY) {
          unload.run();
          inMemory = 0;
        }
      }
    }
  }
}
