package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.method.Methods;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A run that was stopped and resumed is, to the last bit, one that was not. */
final class ResumeTest {
  private static final String SA_MDRAD =
      "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 1, \"featHead\": \"LINEAR_BN\"}";
  private static final String FITNETS =
      "method={\"name\": \"fitnets\", \"featLayer\": \"layer2\", \"beta\": 1}";
  private static final String TEACHERS =
      "teachers=[{\"model\": \"models/fmnist-resnet.pt\"}, {\"model\": \"models/fmnist-vgg.pt\"}]";

  private static final String PAIR =
      TEACHERS
          .replace("resnet.pt\"", "resnet.pt\", \"role\": \"CLEAN\"")
          .replace("vgg.pt\"", "vgg.pt\", \"role\": \"ADVERSARIAL\"");

  @TempDir Path folder;
  private Path images;

  @BeforeEach
  void writeImages() {
    images = TinyRuns.images(folder.resolve("images"));
  }

  static Stream<Arguments> kinds() {
    return Stream.concat(
        Methods.names().stream().map(name -> Arguments.of(name, asInItsRecipe(name))), variants());
  }

  private static Stream<Arguments> askedKinds() {
    return kinds().filter(kind -> TinyRuns.asked((String) kind.get()[0]));
  }

  /**
   * Method and teachers of the recipe that every method has; a peer is as small as the student, and
   * a bundled teacher stands for one that another run is to leave.
   */
  private static List<String> asInItsRecipe(String method) {
    JsonObject recipe = Recipes.load(method + "-fashion-mnist");
    List<String> sets = new ArrayList<>(List.of("method=" + recipe.get("method")));
    if (recipe.has("teachers")) {
      String teachers = recipe.get("teachers").toString().replace("width=16", "width=4");
      sets.add("teachers=" + teachers.replaceAll("[^\"]+@runs/[^\"]+", "models/fmnist-resnet.pt"));
    }
    return sets;
  }

  /** What takes another path through a method, or keeps other state beside it. */
  private static Stream<Arguments> variants() {
    String ema = "average={\"name\": \"EMA\", \"decay\": 0.9}";
    String swa = "average={\"name\": \"SWA\", \"startEpoch\": 1, \"batchNormBatches\": 3}";
    String adamW = "optimizer={\"name\": \"ADAMW\", \"learningRate\": 0.01}";
    String script = "student.model=models/fmnist-resnet.pt";
    String peer = "teachers=[{\"model\": \"resnet8:width=4,stride=2\", \"role\": \"PEER\"}]";
    String teacher =
        "teachers=[{\"model\": \"models/fmnist-resnet.pt\", \"features\": \"layer2\"}]";
    return Stream.of(
        Arguments.of("standard, EMA, AdamW", List.of("method.name=standard", ema, adamW)),
        Arguments.of("pgd-at, SWA", List.of("method.name=pgd-at", swa)),
        Arguments.of("pgd-at, EMA, TorchScript", List.of("method.name=pgd-at", ema, script)),
        Arguments.of("sa-mdrad from the start", List.of(SA_MDRAD, TEACHERS)),
        Arguments.of(
            "sa-mdrad from epoch 2, AdamW, EMA",
            List.of(SA_MDRAD.replace("1,", "2,"), TEACHERS, adamW, ema)),
        Arguments.of("peer-aid, SWA", List.of("method.name=peer-aid", peer, swa)),
        Arguments.of(
            "crd, AdamW", List.of("method={\"name\": \"crd\", \"negatives\": 9}", teacher, adamW)),
        Arguments.of(
            "fitnets, two stages",
            List.of(
                FITNETS.replace("}", ", \"reference\": \"PAPER\", \"hintEpochs\": 1}"), teacher)),
        Arguments.of("ard, TRAIN", List.of("method.name=ard", teacher, "attack.mode=TRAIN")),
        Arguments.of(
            "iad, TRAIN",
            List.of("method={\"name\": \"iad\", \"begin\": 1}", teacher, "attack.mode=TRAIN")),
        Arguments.of(
            "iad II",
            List.of("method={\"name\": \"iad\", \"version\": \"II\", \"begin\": 1}", PAIR)),
        Arguments.of(
            "rslad, teacher in FLOAT16",
            List.of("method.name=rslad", teacher, "teachers[0].precision=FLOAT16")),
        Arguments.of(
            "sa-mdrad, a teacher in BFLOAT16",
            List.of(SA_MDRAD, TEACHERS, "teachers[1].precision=BFLOAT16")),
        Arguments.of(
            "sa-mdrad, computed in BFLOAT16", List.of(SA_MDRAD, TEACHERS, "precision=BFLOAT16")),
        Arguments.of("ada-iad", List.of("method={\"name\": \"ada-iad\", \"begin\": 1}", teacher)),
        Arguments.of("kd-swa, SWA", List.of("method.name=kd-swa", PAIR, swa)),
        Arguments.of("b-mtard, AdamW, EMA", List.of("method.name=b-mtard", PAIR, adamW, ema)),
        Arguments.of(
            "sa-mdrad, balanced",
            List.of(SA_MDRAD.replace("}", ", \"balance\": \"MTARD\"}"), TEACHERS)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("askedKinds")
  void aResumedRunIsTheStraightOneBitForBit(String kind, List<String> sets) throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, sets.toArray(String[]::new));
    Path straight = folder.resolve("straight");
    RecordingListener whole = new RecordingListener();
    var first = TinyRuns.run(recipe, straight, Long.MAX_VALUE, whole);
    assertEquals(Trainer.Outcome.FINISHED, first.outcome());
    assertEquals(TinyRuns.STEPS, whole.steps.size());

    Path stopped = folder.resolve("stopped");
    RecordingListener parts = new RecordingListener();
    // inside an epoch, twice; at the end of one; at the next one's first step; before the last
    for (long at : new long[] {2, 5, 7, 8, 13}) {
      var part = TinyRuns.run(recipe, stopped, at, parts);
      assertEquals(Trainer.Outcome.STEPS_DONE, part.outcome());
      assertEquals(at, parts.steps.size());
    }
    var last = TinyRuns.run(recipe, stopped, Long.MAX_VALUE, parts);

    assertEquals(whole.steps, parts.steps);
    assertEquals(whole.epochs, parts.epochs);
    assertEquals(correct(first), correct(last));
    assertSameFiles(straight, stopped);
  }

  private static void assertSameFiles(Path a, Path b) throws IOException {
    for (String file : List.of("last/state.safetensors", "best.pth", "last.pth", "recipe.json")) {
      assertEquals(-1, Files.mismatch(a.resolve(file), b.resolve(file)), file);
    }
  }

  /** What was counted in the evaluation; the seconds are not a run's. */
  private static List<String> correct(Trainer.Result result) {
    List<String> all = new ArrayList<>();
    for (EvaluatedStudent e : result.students()) {
      e.results()
          .forEach(
              r ->
                  all.add(
                      "%s %s %d/%d %s"
                          .formatted(
                              e.file(), r.attack(), r.correct(), r.images(), r.maxPerturbation())));
    }
    return all;
  }

  /** Settings that there were not yet had what are their defaults now; 1/10 is 0.1. */
  @Test
  void aRunBegunByAnOlderVersionGoesOn() throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=pgd-at", "attack.epsilon=\"1/10\"");
    Path run = folder.resolve("run");
    TinyRuns.run(recipe, run, 2, new RecordingListener());
    Path file = run.resolve("recipe.json");
    JsonObject before = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    assertNotNull(before.getAsJsonObject("method").remove("cleanPass"));
    assertNotNull(before.getAsJsonObject("optimizer").remove("nesterov"));
    assertNotNull(before.remove("average"));
    before.getAsJsonObject("attack").addProperty("epsilon", 0.1);
    Files.writeString(file, before.toString());
    assertEquals(
        Trainer.Outcome.STEPS_DONE,
        TinyRuns.run(recipe, run, 4, new RecordingListener()).outcome());

    before.getAsJsonObject("method").addProperty("cleanPass", true);
    Files.writeString(file, before.toString());
    var e =
        assertThrows(
            UsageException.class, () -> TinyRuns.run(recipe, run, 5, new RecordingListener()));
    assertTrue(e.getMessage().contains("method.cleanPass was true, now false"), e.getMessage());
  }

  /** When states are saved changes nothing: after every step, or as the clock says. */
  @Test
  void stoppingAfterEveryStepChangesNothing() throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    TinyRuns.run(recipe, folder.resolve("straight"), Long.MAX_VALUE, new RecordingListener());
    for (long at = 1; at <= TinyRuns.STEPS; at++) {
      TinyRuns.run(recipe, folder.resolve("stopped"), at, new RecordingListener());
    }
    assertSameFiles(folder.resolve("straight"), folder.resolve("stopped"));
  }

  @Test
  void theUserCanStopBetweenSteps() throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    TinyRuns.run(recipe, folder.resolve("straight"), Long.MAX_VALUE, new RecordingListener());
    RecordingListener recorded = new RecordingListener();
    var ran =
        TinyRuns.run(
            recipe,
            folder.resolve("stopped"),
            Long.MAX_VALUE,
            () -> recorded.steps.size() == 4,
            recorded);
    assertEquals(Trainer.Outcome.STOPPED, ran.outcome());
    assertEquals(4, recorded.steps.size());
    TinyRuns.run(recipe, folder.resolve("stopped"), Long.MAX_VALUE, recorded);
    assertSameFiles(folder.resolve("straight"), folder.resolve("stopped"));
  }

  @Test
  void anEvaluationThatTheUserStopsIsDoneAfterTheResume() {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    Path out = folder.resolve("run");
    RecordingListener recorded = new RecordingListener();
    var stopped =
        TinyRuns.run(
            recipe,
            out,
            Long.MAX_VALUE,
            () -> recorded.messages.stream().anyMatch(m -> m.startsWith("evaluating")),
            recorded);
    assertEquals(Trainer.Outcome.STOPPED, stopped.outcome());
    assertEquals(List.of(), stopped.students());
    var resumed = TinyRuns.run(recipe, out, Long.MAX_VALUE, recorded);
    assertEquals(Trainer.Outcome.FINISHED, resumed.outcome());
    assertEquals(TinyRuns.STEPS, recorded.steps.size());
    assertEquals(2, resumed.students().size());
  }

  @Test
  void aFinishedRunIsOnlyEvaluatedAgain() throws IOException {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=pgd-at");
    Path out = folder.resolve("run");
    var first = TinyRuns.run(recipe, out, Long.MAX_VALUE, new RecordingListener());
    List<byte[]> before = new ArrayList<>();
    List<String> names = List.of("last/state.safetensors", "best.pth", "last.pth", "recipe.json");
    for (String name : names) {
      before.add(Files.readAllBytes(out.resolve(name)));
    }
    RecordingListener recorded = new RecordingListener();
    var again = TinyRuns.run(recipe, out, 3, recorded);
    assertEquals(Trainer.Outcome.FINISHED, again.outcome());
    assertEquals(List.of(), recorded.steps);
    assertEquals(List.of(), recorded.epochs);
    assertEquals("all 2 epochs are done, only evaluating", recorded.messages.get(0));
    assertEquals(correct(first), correct(again));
    for (int i = 0; i < names.size(); i++) {
      byte[] now = Files.readAllBytes(out.resolve(names.get(i)));
      assertTrue(java.util.Arrays.equals(before.get(i), now), names.get(i));
    }
  }

  @Test
  void anotherRecipeIsRefusedNamingTheSetting() throws IOException {
    Path out = folder.resolve("run");
    JsonObject recipe = TinyRuns.recipe(images, SA_MDRAD, TEACHERS);
    TinyRuns.run(recipe, out, 1, new RecordingListener());
    byte[] state = Files.readAllBytes(out.resolve("last/state.safetensors"));
    for (String[] change :
        new String[][] {
          {"attack.steps=3", "attack.steps was 2, now 3"},
          {"batch=9", "batch was 8, now 9"},
          {"method.temperature=2", "method.temperature was 1.0, now 2"},
          {"schedule.milestones=[1]", "schedule.milestones was [], now [1]"},
          {
            "teachers[1].model=models/fmnist-densenet.pt",
            "teachers[1].model was \"models/fmnist-vgg.pt\", now \"models/fmnist-densenet.pt\""
          }
        }) {
      JsonObject other = recipe.deepCopy();
      Recipes.set(other, change[0]);
      var e =
          assertThrows(
              UsageException.class,
              () -> TinyRuns.run(other, out, Long.MAX_VALUE, new RecordingListener()));
      assertTrue(e.getMessage().contains(": " + change[1] + "; "), e.getMessage());
      assertEquals(1, e.getMessage().lines().count());
    }
    assertTrue(
        java.util.Arrays.equals(state, Files.readAllBytes(out.resolve("last/state.safetensors"))));
  }

  /** What a run wrote down is a recipe, and the same one. */
  @Test
  void theRecipeInTheFolderResumesTheRun() throws IOException {
    Path out = folder.resolve("run");
    TinyRuns.run(TinyRuns.recipe(images, SA_MDRAD, TEACHERS), out, 1, new RecordingListener());
    byte[] written = Files.readAllBytes(out.resolve("recipe.json"));
    JsonObject resolved = Recipes.load(out.resolve("recipe.json").toString());
    TinyRuns.run(resolved, out, 2, new RecordingListener());
    assertTrue(java.util.Arrays.equals(written, Files.readAllBytes(out.resolve("recipe.json"))));
  }

  /** Settings that there were not yet when the run began have their defaults. */
  @Test
  void runOfAnOlderVersionGoesOn() throws IOException {
    Path out = folder.resolve("run");
    JsonObject recipe = TinyRuns.recipe(images, SA_MDRAD, TEACHERS);
    TinyRuns.run(recipe, out, 1, new RecordingListener());
    Path file = out.resolve("recipe.json");
    String written = Files.readString(file);
    JsonObject older = Recipes.load(file.toString());
    assertTrue(older.has("average") && older.has("precision"), written);
    older.remove("average");
    older.remove("cuda");
    older.addProperty("precision", "float32"); // as it was written
    older.getAsJsonArray("teachers").forEach(t -> t.getAsJsonObject().remove("precision"));
    Files.writeString(file, older.toString());
    TinyRuns.run(recipe, out, 2, new RecordingListener());
    assertEquals(written, Files.readString(file));
  }

  @Test
  void aDamagedStateIsRefusedInOneLine() throws IOException {
    Path out = folder.resolve("run");
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard");
    TinyRuns.run(recipe, out, 1, new RecordingListener());
    Path state = out.resolve("last/state.safetensors");
    byte[] whole = Files.readAllBytes(state);
    Files.write(state, java.util.Arrays.copyOf(whole, whole.length / 2));
    var e =
        assertThrows(
            bridge.BridgeException.class,
            () -> TinyRuns.run(recipe, out, 2, new RecordingListener()));
    assertTrue(e.getMessage().contains(state.toString()), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }
}
