package bridge.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.Natives;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run computes its gradients by: {@code gradients} of a recipe. */
final class EngineRunsTest {
  private static final String TEACHERS =
      "teachers=[{\"model\":\"models/fmnist-resnet.pt\"},{\"model\":\"models/fmnist-vgg.pt\"}]";

  @TempDir Path folder;
  private Path images;

  @BeforeEach
  void writeImages() {
    images = TinyRuns.images(folder.resolve("images"));
  }

  private JsonObject recipe(String... changes) {
    return TinyRuns.recipe(images, changes);
  }

  private Path run(String name, JsonObject recipe, long steps) {
    Path out = folder.resolve(name);
    TinyRuns.run(recipe, out, steps, new TinyRuns.RecordingListener());
    return out;
  }

  private static byte[] state(Path run) throws IOException {
    return Files.readAllBytes(run.resolve("last/state.safetensors"));
  }

  /** At the first step; later ones drift apart, since rounding decides some signs of the attack. */
  @Test
  void foldedRunsFollowPlainOnes() {
    for (String method : List.of("pgd-at", "sa-mdrad", "trades")) {
      TinyRuns.RecordingListener plain = new TinyRuns.RecordingListener();
      TinyRuns.RecordingListener folded = new TinyRuns.RecordingListener();
      String teachers = method.equals("sa-mdrad") ? TEACHERS : "seed=1";
      String named = "method.name=" + method;
      TinyRuns.run(
          recipe(named, teachers, "gradients.engine=PLAIN"),
          folder.resolve(method + "-plain"),
          2,
          plain);
      TinyRuns.run(recipe(named, teachers), folder.resolve(method + "-folded"), 2, folded);
      assertTrue(folded.messages.stream().noneMatch(m -> m.contains("runs as it is")));
      Map<String, Double> expected = plain.losses.getFirst();
      Map<String, Double> found = folded.losses.getFirst();
      assertEquals(expected.keySet(), found.keySet());
      expected.forEach((term, value) -> assertEquals(value, found.get(term), 1e-3, term));
    }
  }

  /** Five images to a part of batches of eight: several parts, the last batch smaller. */
  @Test
  void theBitsAreTheSameOnAnyNumberOfThreads() throws IOException {
    JsonObject recipe = recipe("method.name=sa-mdrad", TEACHERS, "gradients.shard=3");
    int before = Natives.threads();
    try {
      Natives.setThreads(1);
      byte[] one = state(run("one", recipe, 9));
      Natives.setThreads(2);
      byte[] two = state(run("two", recipe, 9));
      assertArrayEquals(one, two);
    } finally {
      Natives.setThreads(before);
    }
  }

  @Test
  void aRunStaysWithTheEngineItBeganWith() {
    Path out = run("run", recipe("method.name=pgd-at"), 2);
    JsonObject plain = recipe("method.name=pgd-at", "gradients.engine=PLAIN");
    var e = assertThrows(UsageException.class, () -> run("run", plain, 3));
    assertTrue(
        e.getMessage().contains("gradients.engine was \"AUTO\", now \"PLAIN\""), e.getMessage());
    assertTrue(Files.exists(out));
  }

  /** Before there was a choice, gradients were autograd's. */
  @Test
  void aRunOfBeforeThereWasAChoiceIsPlain() throws IOException {
    JsonObject plain = recipe("method.name=pgd-at", "gradients.engine=PLAIN");
    Path out = run("run", plain, 2);
    Path whole = run("whole", plain, 4);
    Path file = out.resolve("recipe.json");
    JsonObject before = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    assertNotNull(before.remove("gradients"));
    Files.writeString(file, before.toString());
    var e = assertThrows(UsageException.class, () -> run("run", recipe("method.name=pgd-at"), 4));
    assertTrue(
        e.getMessage().contains("gradients.engine was \"PLAIN\", now \"AUTO\""), e.getMessage());
    run("run", plain, 4);
    assertArrayEquals(state(whole), state(out));
  }

  @Test
  void otherEnginesAreRefusedByName() {
    var e =
        assertThrows(
            UsageException.class,
            () -> Recipe.from(recipe("method.name=pgd-at", "gradients.engine=FAST")));
    assertFalse(e.getMessage().contains("\n"));
    assertTrue(e.getMessage().contains("gradients.engine"), e.getMessage());
    assertTrue(
        Arrays.stream(new String[] {"AUTO", "PLAIN", "FOLDED", "GRAPH"})
            .allMatch(e.getMessage()::contains),
        e.getMessage());
  }
}
