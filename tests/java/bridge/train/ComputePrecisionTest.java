package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.checkpoint.TensorFile;
import bridge.torch.Backend;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The key {@code precision} of a recipe. */
final class ComputePrecisionTest extends TinyRunTest {
  private static final long STEPS = 5;

  @AfterEach
  void plainAgain() {
    Backend.PLAIN.use(Device.CPU);
  }

  private RecordingListener run(Path folder, String... sets) {
    JsonObject recipe = TinyRuns.recipe(images, sets);
    RecordingListener recorded = new RecordingListener();
    TinyRuns.run(recipe, folder, STEPS, recorded);
    return recorded;
  }

  /** Rounding changes the losses, by little; what is kept stays float32. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "method.name=pgd-at",
        "method.name=trades",
        "method={\"name\": \"sa-mdrad\", \"featStartEpoch\": 1}"
      })
  void trainsInBfloat16AsInFloat32ButForRounding(String method) {
    boolean teachers = method.contains("sa-mdrad");
    String more = teachers ? TEACHERS : "epochs=1";
    List<Map<String, Double>> exact = run(out.resolve("a"), method, more).losses;
    List<Map<String, Double>> rounded =
        run(out.resolve("b"), method, more, "precision=bfloat16").losses;
    assertEquals(STEPS, rounded.size());
    assertNotEquals(exact, rounded);
    for (int i = 0; i < STEPS; i++) {
      double expected = exact.get(i).get("total");
      assertEquals(expected, rounded.get(i).get("total"), 0.05 * expected, "step " + (i + 1));
    }
    try (Scope _ = Scope.open("test");
        TensorFile state = TensorFile.read(out.resolve("b/last/state.safetensors"))) {
      state
          .tensors()
          .forEach((name, t) -> assertTrue(!t.dtype().isFloatingPoint() || wide(t.dtype()), name));
    }
  }

  private static boolean wide(DType type) {
    return type == DType.FLOAT32 || type == DType.FLOAT64;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          precision=half        | precision must be one of FLOAT32, TF32, BFLOAT16, found half
          cuda.deterministic=1  | cuda.deterministic must be true or false, found 1
          cuda.benchmrk=true    | unknown key cuda.benchmrk; did you mean benchmark?; known here: benchmark, deterministic
          """)
  void whatIsNoneIsRefused(String set, String line) {
    JsonObject recipe = TinyRuns.recipe(images, "method.name=standard", set);
    assertEquals(line, assertThrows(UsageException.class, () -> Recipe.from(recipe)).getMessage());
  }

  @Test
  void isRecordedAndPartOfWhatARunIs() throws IOException {
    run(out, "method.name=standard", "precision=bfloat16");
    JsonObject recorded =
        JsonParser.parseString(Files.readString(out.resolve("recipe.json"))).getAsJsonObject();
    assertEquals("BFLOAT16", recorded.get("precision").getAsString());
    assertEquals("{\"benchmark\":false,\"deterministic\":false}", recorded.get("cuda").toString());
    var e =
        assertThrows(
            UsageException.class, () -> run(out, "method.name=standard", "precision=float32"));
    assertTrue(e.getMessage().contains("precision"), e.getMessage());
  }

  @Test
  void onTheProcessorTf32IsFloat32AndSaysSo() {
    RecordingListener plain = run(out.resolve("a"), "method.name=pgd-at");
    RecordingListener tf32 =
        run(out.resolve("b"), "method.name=pgd-at", "precision=TF32", "cuda.benchmark=true");
    assertEquals(plain.losses, tf32.losses);
    assertFalse(plain.messages.stream().anyMatch(line -> line.contains("without effect")));
    assertTrue(
        tf32.messages.contains(
            "precision TF32, cuda.benchmark and cuda.deterministic: without effect on the"
                + " processor"));
  }
}
