package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.model.Precision;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;

/** Teachers in half precision: for which methods, and what a run with them says and learns. */
final class TeacherPrecisionTest {
  private static final String TEACHERS =
      "teachers=[{\"model\": \"models/fmnist-resnet.pt\"},"
          + " {\"model\": \"models/fmnist-vgg.pt\", \"precision\": \"bfloat16\"}]";

  @TempDir Path folder;

  private JsonObject recipe(String... sets) {
    return TinyRuns.recipe(folder.resolve("images"), sets);
  }

  private static String refused(JsonObject recipe) {
    String message = assertThrows(UsageException.class, () -> Recipe.from(recipe)).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  // ---- for which methods ---------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      textBlock =
          """
          {"name": "ada-ad"}                                 | the attack of ada-ad climbs the teacher's gradient
          {"name": "ada-iad"}                                | the attack of ada-iad climbs the teacher's gradient
          {"name": "sa-mdrad", "innerLoss": "kl_teachers"}   | method.innerLoss KL_TEACHERS climbs the teachers' gradients
          {"name": "ca-mkd"}                                 | method.beta above 0 trains through the teachers' classifiers
          {"name": "ca-mkd", "ensemble": "EBKD", "beta": 50} | method.beta above 0 trains through the teachers' classifiers
          """)
  void methodsThatNeedTheTeachersGradientAreRefused(String method, String reason) {
    String teacher = "teachers=[{\"model\": \"models/fmnist-vgg.pt\", \"precision\": \"%s\"}]";
    assertEquals(
        "teachers[0].precision must be FLOAT32, since %s, found BFLOAT16; remove it"
            .formatted(reason),
        refused(recipe("method=" + method, teacher.formatted("bfloat16"))));
    Recipe.from(recipe("method=" + method, teacher.formatted("float32")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      textBlock =
          """
          {"name": "sa-mdrad", "innerLoss": "KL_FUSED"} | sa-mdrad
          {"name": "ca-mkd", "beta": 0}                 | ca-mkd
          {"name": "ca-mkd", "ensemble": "AVERAGE"}     | ca-mkd
          """)
  void withOtherOptionsTheyAreNot(String method, String name) {
    Recipe recipe = Recipe.from(recipe("method=" + method, TEACHERS));
    assertEquals(Precision.FLOAT32, recipe.teachers.get(0).precision());
    assertEquals(Precision.BFLOAT16, recipe.teachers.get(1).precision());
    assertEquals(name, recipe.resolved().getAsJsonObject("method").get("name").getAsString());
  }

  @Test
  void aPeerIsRefused() {
    assertEquals(
        "teachers[0].precision must be FLOAT32, since a teacher of role PEER trains, found FLOAT16;"
            + " remove it",
        refused(
            recipe(
                "method.name=peer-aid",
                "teachers=[{\"model\": \"resnet8\", \"role\": \"PEER\", \"precision\":"
                    + " \"FLOAT16\"}]")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          teachers[1].precision=half     | teachers[1].precision must be one of FLOAT32, BFLOAT16, FLOAT16, found half
          teachers[1].precision=BFLOAT61 | teachers[1].precision must be one of FLOAT32, BFLOAT16, FLOAT16, found BFLOAT61; did you mean BFLOAT16?
          student.precision=BFLOAT16     | unknown key student.precision; known here: normalisation, model, features
          precision=float16              | precision must be one of FLOAT32, TF32, BFLOAT16, found float16; did you mean BFLOAT16?
          """)
  void whatIsNoPrecisionIsRefused(String set, String line) {
    assertEquals(line, refused(recipe("method.name=sa-mdrad", TEACHERS, set)));
  }

  /**
   * A method that differentiates through its teachers and does not say so fails at its first step,
   * so this finds the next one that forgets.
   */
  @Test
  void everyOtherMethodTrains() {
    TinyRuns.images(folder.resolve("images"));
    Set<String> refused = new TreeSet<>();
    Set<String> trained = new TreeSet<>();
    for (Arguments kind : ResumeTest.kinds().toList()) {
      List<?> sets = (List<?>) kind.get()[1];
      JsonObject recipe = recipe(sets.stream().map(Object::toString).toArray(String[]::new));
      String method = recipe.getAsJsonObject("method").get("name").getAsString();
      if (!recipe.has("teachers")) {
        continue;
      }
      for (JsonElement teacher : recipe.getAsJsonArray("teachers")) {
        teacher.getAsJsonObject().addProperty("precision", "BFLOAT16");
      }
      try {
        Recipe.from(recipe.deepCopy());
      } catch (UsageException e) {
        assertTrue(e.getMessage().contains("precision must be FLOAT32"), e.getMessage());
        refused.add(method);
        continue;
      }
      RecordingListener recorded = new RecordingListener();
      Path out = folder.resolve("run" + trained.size() + kind.get()[0]);
      TinyRuns.run(recipe, out, 1, recorded);
      assertEquals(1, recorded.steps.size(), method);
      trained.add(method);
    }
    assertTrue(refused.containsAll(Set.of("ada-ad", "ca-mkd", "peer-aid")), refused.toString());
    assertTrue(trained.containsAll(Set.of("kd", "mtard", "sa-mdrad")), trained.toString());
  }

  // ---- a run ---------------------------------------------------------------------------------

  @Test
  void theRunSaysOnceWhatRoundingChanges() {
    TinyRuns.images(folder.resolve("images"));
    RecordingListener recorded = new RecordingListener();
    JsonObject recipe = recipe("method.name=sa-mdrad", TEACHERS);
    TinyRuns.run(recipe, folder.resolve("run"), 1, recorded);
    List<String> of = recorded.messages.stream().filter(m -> m.contains("BFLOAT16")).toList();
    assertEquals(2, of.size(), recorded.messages.toString());
    assertTrue(
        of.get(0).matches("(warning: )?teacher fmnist-vgg in BFLOAT16 predicts .* of 64 images.*"),
        of.get(0));
    assertTrue(of.get(1).startsWith("warning: teacher fmnist-vgg in BFLOAT16 takes half"));
    RecordingListener resumed = new RecordingListener();
    TinyRuns.run(recipe, folder.resolve("run"), 2, resumed);
    assertEquals(List.of(), resumed.messages);
  }

  @Test
  void theStudentLearnsFromWhatTheTeacherSaysInHalfPrecision() {
    TinyRuns.images(folder.resolve("images"));
    String teacher = "teachers=[{\"model\": \"models/fmnist-vgg.pt\"}]";
    RecordingListener exact = new RecordingListener();
    TinyRuns.run(recipe("method.name=rslad", teacher), folder.resolve("exact"), 1, exact);
    for (String precision : List.of("BFLOAT16", "FLOAT16")) {
      RecordingListener half = new RecordingListener();
      JsonObject recipe =
          recipe("method.name=rslad", teacher, "teachers[0].precision=" + precision);
      TinyRuns.run(recipe, folder.resolve(precision), 1, half);
      double expected = exact.losses.get(0).get("total");
      double found = half.losses.get(0).get("total");
      assertNotEquals(expected, found, precision);
      assertEquals(expected, found, 0.05 * expected, precision);
    }
  }

  @Test
  void anotherPrecisionIsAnotherRecipe() {
    TinyRuns.images(folder.resolve("images"));
    JsonObject recipe = recipe("method.name=sa-mdrad", TEACHERS);
    TinyRuns.run(recipe, folder.resolve("run"), 1, new RecordingListener());
    for (String precision : List.of("FLOAT32", "FLOAT16")) {
      Recipes.set(recipe, "teachers[1].precision=" + precision);
      var e =
          assertThrows(
              UsageException.class,
              () -> TinyRuns.run(recipe, folder.resolve("run"), 2, new RecordingListener()));
      String difference =
          ": teachers[1].precision was \"BFLOAT16\", now \"%s\"; ".formatted(precision);
      assertTrue(e.getMessage().contains(difference), e.getMessage());
    }
  }
}
