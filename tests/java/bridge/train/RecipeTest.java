package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.UsageException;
import bridge.method.Methods;
import bridge.method.parts.Teacher;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Recipes: what is read, what is refused and in which words, what is written down. */
final class RecipeTest {
  private static JsonObject small() {
    return JsonParser.parseString(
            """
            {
              "name": "small",
              "data": "fashion-mnist-mini",
              "student": {"model": "resnet8", "normalisation": {"mean": 0.3, "std": 0.35}},
              "teachers": [{"model": "a.pt"}, {"model": "b.pt", "features": "layer3"}],
              "method": {"name": "sa-mdrad"}
            }
            """)
        .getAsJsonObject();
  }

  private static Recipe with(String... sets) {
    JsonObject json = small();
    for (String set : sets) {
      Recipes.set(json, set);
    }
    return Recipe.from(json);
  }

  private static String refused(String... sets) {
    String message = assertThrows(UsageException.class, () -> with(sets)).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  static List<String> builtIn() {
    return Recipes.names();
  }

  // ---- reading -------------------------------------------------------------------------------

  @ParameterizedTest
  @MethodSource("builtIn")
  void builtInRecipesAreReadAndWrittenDownOnceForAll(String name) {
    Recipe recipe = Recipe.from(Recipes.load(name));
    assertEquals(name, recipe.name());
    JsonObject resolved = recipe.resolved().deepCopy();
    assertEquals(resolved, Recipe.from(resolved.deepCopy()).resolved());
  }

  @Test
  void everyRecipeIsListed() throws IOException {
    Path folder = Path.of("src/main/resources/bridge/recipes");
    try (var files = Files.list(folder)) {
      Set<String> found =
          files
              .map(file -> file.getFileName().toString())
              .filter(file -> file.endsWith(".json"))
              .map(file -> file.replace(".json", ""))
              .collect(java.util.stream.Collectors.toSet());
      assertEquals(found, Set.copyOf(Recipes.names()));
    }
  }

  @Test
  void everySettingIsWrittenDownWithItsValue() {
    JsonObject resolved = with().resolved();
    assertEquals(
        Set.of(
            "name",
            "description",
            "data",
            "student",
            "teachers",
            "method",
            "attack",
            "optimizer",
            "schedule",
            "epochs",
            "batch",
            "augment",
            "average",
            "select",
            "evaluate",
            "precision",
            "gradients",
            "cuda",
            "seed"),
        resolved.keySet());
    assertEquals("8/255", resolved.getAsJsonObject("attack").get("epsilon").getAsString());
    assertEquals(
        "STANDARD",
        resolved.getAsJsonArray("teachers").get(1).getAsJsonObject().get("role").getAsString());
    assertEquals(1000, resolved.getAsJsonObject("select").get("validation").getAsInt());
  }

  @Test
  void methodOptionsAreWrittenDownCompletely() {
    JsonObject json = JsonParser.parseString("{\"name\": \"sa-mdrad\"}").getAsJsonObject();
    Options options = new Options("method", json);
    create(options);
    assertEquals(
        Set.of(
            "name",
            "innerLoss",
            "teacherInput",
            "rectify",
            "rectifyStrength",
            "rectifyMargin",
            "rectifyBranches",
            "fusionWeights",
            "weightsFrom",
            "fusionSpace",
            "weightsTemperature",
            "standardiseLogits",
            "lambdaAdv",
            "lambdaNat",
            "lambdaCe",
            "balance",
            "temperature",
            "teacherOnlyT",
            "betaF",
            "muAdv",
            "muNat",
            "featTarget",
            "featStartEpoch",
            "featLayer",
            "featHead",
            "featDistance"),
        options.resolved().keySet());
    Options again = new Options("method", options.resolved().deepCopy());
    create(again);
    assertEquals(options.resolved(), again.resolved());
  }

  private static void create(Options options) {
    Methods.read(options, List.of(Teacher.Role.STANDARD));
  }

  @Test
  void fractionsAreNumbers() {
    assertEquals(8.0 / 255, with("attack.epsilon=8/255").attack().ball().epsilon());
    assertEquals(8.0 / 255, with("attack.epsilon=\"8/255\"").attack().ball().epsilon());
    assertEquals(0.031, with("attack.epsilon=0.031").attack().ball().epsilon());
    assertEquals(1.0, with("attack.epsilon=1").attack().ball().epsilon());
  }

  @Test
  void namesOfChoicesAreReadInAnyCase() {
    JsonObject resolved = with("schedule.name=cosine", "select.metric=Clean").resolved();
    assertEquals("COSINE", resolved.getAsJsonObject("schedule").get("name").getAsString());
    assertEquals("CLEAN", resolved.getAsJsonObject("select").get("metric").getAsString());
  }

  // ---- refusing ------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({
    "epoch,                            epochs",
    "optimiser,                        optimizer",
    "student.modle,                    model",
    "student.normalisation.means,      mean",
    "teachers[1].feature,              features",
    "attack.eps,                       steps",
    "attack.stepsize,                  stepSize",
    "optimizer.weight_decay,           weightDecay",
    "optimizer.beta1,                  ''",
    "schedule.milestone,               milestones",
    "augment.flips,                    flip",
    "average.startepoch,               startEpoch",
    "select.valdation,                 validation",
    "evaluate.attack,                  attacks"
  })
  void unknownKeysAreRefusedWithTheNearestName(String path, String nearest) {
    String message = refused(path + "=1");
    String hint = nearest.isEmpty() ? "; known here: " : "; did you mean " + nearest + "?";
    assertTrue(message.startsWith("unknown key " + path + hint), message);
  }

  @ParameterizedTest
  @CsvSource({
    "sa-mdrad, lambda_adv,  did you mean lambdaAdv?",
    "sa-mdrad, beta,        did you mean betaF?",
    "pgd-at,   temperature, known here: name",
    "standard, steps,       known here: name"
  })
  void unknownMethodOptionsAreRefusedBeforeAnythingIsLoaded(
      String method, String key, String hint) {
    String teachers = method.equals("sa-mdrad") ? "[{\"model\": \"no-such-file.pt\"}]" : "[]";
    String message =
        refused(
            "data=cifar10:/no/such/folder",
            "teachers=" + teachers,
            "method={\"name\": \"%s\", \"%s\": 1}".formatted(method, key));
    assertTrue(message.startsWith("unknown key method." + key + "; "), message);
    assertTrue(message.contains(hint), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      textBlock =
          """
          attack.epsilon=8              | attack.epsilon must be a number from 0 to 1, found 8
          attack.epsilon="8/0"          | attack.epsilon must be a number from 0 to 1, found "8/0"
          attack.epsilon=true           | attack.epsilon must be a number from 0 to 1, found true
          attack.epsilon=-0.1           | attack.epsilon must be a number from 0 to 1, found -0.1
          attack.epsilon=much           | attack.epsilon must be a number from 0 to 1, found "much"
          attack.norm=L1                | attack.norm must be LINF or L2, found L1
          attack.norm=L3                | attack.norm must be one of LINF, L2, L1, found L3
          attack.steps=2.5              | attack.steps must be a whole number, found 2.5
          attack=3                      | attack must be an object, found 3
          optimizer.learningRate=1e30   | optimizer.learningRate must be a number from 0 to 1000, found 1e30
          optimizer.name=ADAM           | optimizer.name must be one of SGD, ADAMW, found ADAM; did you mean ADAMW?
          optimizer.nesterov=1          | optimizer.nesterov must be true or false, found 1
          schedule.milestones=[3,1]     | schedule.milestones must be epochs in rising order, found [3.0, 1.0]
          schedule.milestones=["x"]     | schedule.milestones must be a list of numbers, found ["x"]
          schedule.name=MULTI_STEP      | schedule.milestones must be epochs in rising order, found []
          epochs=0                      | epochs must be a number from 1 to 1000000, found 0
          batch=many                    | batch must be a number from 1 to 65536, found "many"
          augment.flip=yes              | augment.flip must be true or false, found "yes"
          average.decay=2               | average.decay must be a number from 0 to 1, found 2
          select.metric=BEST            | select.metric must be one of ROBUST, CLEAN, MEAN, found BEST
          select.validation=-1          | select.validation must be a number from 0 to 10000000, found -1
          evaluate.attacks=[1]          | evaluate.attacks must be a list of texts, found [1]
          evaluate.attacks=["pdg20"]    | evaluate.attacks: unknown attack pdg20; did you mean pgd20?
          evaluate.attacks=[]           | evaluate.attacks: no attacks named
          seed=1.5                      | seed must be a whole number, found 1.5
          seed=[5]                      | seed must be a whole number, found [5]
          name=a/b                      | name must be letters, digits
          data=5                        | data must be a text, found 5
          student.model=[]              | student.model must be a text, found []
          student={}                    | student.model is missing
          student.normalisation.std="s" | student.normalisation.std must be a list of numbers, found "s"
          teachers={}                   | teachers must be a list of objects, found {}
          teachers[1]=7                 | teachers[1] must be an object, found 7
          teachers[1]={}                | teachers[1].model is missing
          teachers[1].model=7           | teachers[1].model must be a text, found 7
          """)
  void wrongValuesGiveOneLineWithPathExpectedAndFound(String set, String line) {
    String message = refused(set);
    assertTrue(message.startsWith(line), message);
  }

  @Test
  void anAverageThatWouldNeverBeginIsRefused() {
    assertEquals(
        "average.startEpoch must be from 1 to the 5 epochs, found 6",
        refused("epochs=5", "average={\"name\":\"SWA\",\"startEpoch\":6}"));
    with("epochs=5", "average={\"name\":\"NONE\",\"startEpoch\":6}");
  }

  // ---- --set ---------------------------------------------------------------------------------

  @Test
  void singleValuesAreSetByPath() {
    JsonObject json = small();
    Recipes.set(json, "teachers[1].model=c.pt");
    Recipes.set(json, "attack.steps=3");
    Recipes.set(json, "schedule.milestones=[1, 2]");
    Recipes.set(json, "schedule.milestones[0]=0.5");
    Recipes.set(json, "data=cifar10:/a=b");
    Recipes.set(json, "description=8 grey levels");
    Recipes.set(json, "student.features=");
    assertEquals(
        "c.pt",
        json.getAsJsonArray("teachers").get(1).getAsJsonObject().get("model").getAsString());
    assertEquals(
        "layer3",
        json.getAsJsonArray("teachers").get(1).getAsJsonObject().get("features").getAsString());
    assertEquals("{\"steps\":3}", json.get("attack").toString());
    assertEquals("{\"milestones\":[0.5,2]}", json.get("schedule").toString());
    assertEquals("cifar10:/a=b", json.get("data").getAsString());
    assertEquals("8 grey levels", json.get("description").getAsString());
    assertEquals("", json.getAsJsonObject("student").get("features").getAsString());
  }

  @Test
  void aWholeListCanBeSet() {
    JsonObject json = small();
    Recipes.set(json, "teachers=[{\"model\": \"only.pt\"}]");
    assertEquals(1, json.getAsJsonArray("teachers").size());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          attack.steps          | --set takes PATH=VALUE, found attack.steps
          =3                    | --set takes PATH=VALUE, found =3
          teachers[2].model=x   | --set teachers[2].model=x: there is no [2] in a list of 2
          teachers[0.model=x    | --set teachers[0.model=x: a path reads key.key or key[0].key
          teachers[-1].model=x  | --set teachers[-1].model=x: a path reads key.key or key[0].key
          teachers[0]x=1        | --set teachers[0]x=1: a path reads key.key or key[0].key
          attack..steps=1       | --set attack..steps=1: a path reads key.key or key[0].key
          attack.=1             | --set attack.=1: a path reads key.key or key[0].key
          data.path=x           | --set data.path=x leads nowhere in the recipe
          student[0]=x          | --set student[0]=x leads nowhere in the recipe
          teachers.model=x      | --set teachers.model=x leads nowhere in the recipe
          """)
  void pathsThatLeadNowhereAreRefused(String set, String line) {
    var e = assertThrows(UsageException.class, () -> Recipes.set(small(), set));
    assertEquals(line, e.getMessage());
  }

  // ---- files ---------------------------------------------------------------------------------

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {"", "[]", "7", "{", "{\"a\": 1,}", "{a: 1}", "{\"a\": 1} x", "{} {}", "\"text\""})
  void whatIsNoJsonObjectIsRefusedInOneLine(String text) throws IOException {
    Path file = Files.writeString(folder.resolve("r.json"), text);
    var e = assertThrows(UsageException.class, () -> Recipes.load(file.toString()));
    assertTrue(
        e.getMessage().startsWith("recipe " + file + " is not a JSON object: "), e.getMessage());
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertFalse(e.getMessage().endsWith(": "), e.getMessage());
  }

  @Test
  void unknownRecipesAreRefusedWithTheNearestName() {
    var e = assertThrows(UsageException.class, () -> Recipes.load("quikstart"));
    assertTrue(e.getMessage().contains("did you mean quickstart?"), e.getMessage());
  }
}
