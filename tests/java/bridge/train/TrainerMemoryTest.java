package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Training keeps no memory. */
final class TrainerMemoryTest extends TinyRunTest {
  @Test
  void aRunLeavesNothingAlive() {
    JsonObject recipe =
        TinyRuns.recipe(
            images,
            "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 1}",
            TEACHERS,
            "average={\"name\": \"EMA\"}",
            "epochs=1");
    TinyRuns.run(recipe, folder.resolve("warm"), Long.MAX_VALUE, new RecordingListener());
    long before = Scope.alive();
    TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener());
    assertEquals(before, Scope.alive());
    Recipes.set(recipe, "method.name=mdrad");
    assertThrows(
        UsageException.class,
        () -> TinyRuns.run(recipe, folder.resolve("wrong"), 1, new RecordingListener()));
    assertEquals(before, Scope.alive());
  }

  @Test
  void stepsAndEpochsLeaveNothingAlive() {
    List<Long> alive = new ArrayList<>();
    RecordingListener recorded =
        new RecordingListener() {
          @Override
          public void step(Step step) {
            super.step(step);
            alive.add(Scope.alive());
          }
        };
    TinyRuns.run(
        TinyRuns.recipe(
            images,
            "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 1}",
            TEACHERS,
            "average={\"name\": \"SWA\"}",
            "epochs=3"),
        out,
        Long.MAX_VALUE,
        recorded);
    // from the second step on, when momentum, sums and the like are there, all steps are alike
    Set<Long> after = new TreeSet<>(alive.subList(1, alive.size()));
    assertEquals(1, after.size(), alive.toString());
  }

  /**
   * The virtual machine's own heap and compiled code grow too, now and then by 20 MB where the
   * whole suite shares one process, but not in every window; a batch of 25 kB kept at every step
   * makes 12.5 MB in each.
   */
  @Test
  @Tag("slow")
  void residentMemoryIsFlatOverFiveHundredSteps() {
    int warm = 100;
    int window = 500;
    int windows = 4;
    List<Long> resident = new ArrayList<>();
    RecordingListener recorded =
        new RecordingListener() {
          @Override
          public void step(Step step) {
            if (step.step() >= warm && (step.step() - warm) % window == 0) {
              resident.add(Natives.residentBytes());
            }
          }
        };
    TinyRuns.run(
        TinyRuns.recipe(images, "method.name=pgd-at", "epochs=1000", "select.every=1000"),
        out,
        warm + windows * window,
        recorded);
    assertEquals(windows + 1, resident.size());
    long growth =
        IntStream.range(0, windows)
            .mapToLong(w -> resident.get(w + 1) - resident.get(w))
            .min()
            .orElseThrow();
    assertTrue(growth < 8_000_000, "grew by %d bytes or more, from %s".formatted(growth, resident));
  }
}
