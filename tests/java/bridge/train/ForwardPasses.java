package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.model.Network;
import bridge.torch.Tensor;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The forward passes of one step in order: network, mode, input. Inputs are {@code x}, {@code
 * x_adv}, {@code x and x_adv} as one batch and, while the attack climbs, {@code attack iterate k}.
 *
 * <p>A pass in evaluation mode leaves nothing behind, so between two passes in training mode it
 * counts once and its place does not matter.
 */
final class ForwardPasses {
  /** A pass as the recordings name it, without whether gradients were recorded. */
  private record Pass(String network, String mode, String input) {
    static Pass of(String line) {
      String[] parts = line.split(" \\| ");
      return new Pass(parts[0], parts[1], parts[2]);
    }

    boolean training() {
      return mode.equals("train");
    }
  }

  private static final List<String> TRAINED = List.of("student", "peer");

  private final List<Pass> passes = new ArrayList<>();
  private final Map<String, Integer> iterates = new LinkedHashMap<>();
  private Tensor images;
  private Tensor adversarial;
  private boolean attacking;

  /** A network whose passes are noted under this name. */
  Network record(String name, Network network) {
    return new RecordingNetwork(network, input -> note(name, network, input));
  }

  private void note(String name, Network network, Tensor input) {
    if (images == null) {
      return; // a method that looks at shapes before the first step
    }
    String what;
    if (input == images) {
      what = "x";
    } else if (input == adversarial) {
      what = "x_adv";
    } else if (!attacking && input.size(0) == 2 * images.size(0)) {
      Tensor both = Tensor.cat(List.of(images, adversarial), 0);
      assertEquals(0, input.detach().sub(both).abs().max().item(), "x, then x_adv");
      what = "x and x_adv";
    } else {
      assertTrue(attacking, () -> name + " was shown unknown images");
      what = "attack iterate " + (iterates.merge(name, 1, Integer::sum) - 1);
    }
    passes.add(new Pass(name, network.training() ? "train" : "eval", what));
  }

  void beginStep(Tensor images) {
    passes.clear();
    iterates.clear();
    this.images = images;
    this.adversarial = null;
  }

  void beginAttack() {
    attacking = true;
  }

  void endAttack(Tensor made) {
    attacking = false;
    adversarial = made;
  }

  /**
   * Compares the step's passes with the recorded ones; of the frozen teachers, which no pass
   * changes, only that nothing else was asked.
   */
  void check(JsonArray recordings, int step) {
    List<Pass> theirs = recorded(recordings, step);
    for (String trained : TRAINED) {
      assertEquals(
          stretches(of(trained, theirs)),
          stretches(of(trained, passes)),
          () -> "the %s's passes of step %d".formatted(trained, step));
    }
    Set<Pass> asked =
        passes.stream().filter(p -> !TRAINED.contains(p.network)).collect(Collectors.toSet());
    asked.removeAll(theirs);
    assertEquals(Set.of(), asked, "passes of teachers that the script does not make");
  }

  private static List<Pass> recorded(JsonArray recordings, int step) {
    for (JsonElement recording : recordings) {
      JsonObject one = recording.getAsJsonObject();
      String[] range = one.get("steps").getAsString().split("-");
      int last = Integer.parseInt(range[range.length - 1]);
      if (step >= Integer.parseInt(range[0]) && step <= last) {
        return one.getAsJsonArray("sequence").asList().stream()
            .map(line -> Pass.of(line.getAsString()))
            .toList();
      }
    }
    throw new AssertionError("no forward order is recorded for step " + step);
  }

  private static List<Pass> of(String network, List<Pass> all) {
    return all.stream().filter(p -> p.network.equals(network)).toList();
  }

  /** The passes in training mode, and before and after each the set of those in evaluation mode. */
  private static List<Set<Pass>> stretches(List<Pass> all) {
    List<Set<Pass>> stretches = new ArrayList<>(List.of(new LinkedHashSet<>()));
    for (Pass pass : all) {
      if (pass.training()) {
        stretches.add(Set.of(pass));
        stretches.add(new LinkedHashSet<>());
      } else {
        stretches.getLast().add(pass);
      }
    }
    return stretches;
  }
}
