package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import bridge.checkpoint.TensorFile;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * AutoAttack and its components against what the official code made of the same network and images.
 * From given starts nothing is random, and losses and distances are compared image by image; where
 * starts are random, how many images stay right. An image can leave its path where rounding turns a
 * decision, as the files' own float32 and float64 runs show, so single images may differ.
 */
class GoldenAutoAttackTest {
  static final Path FOLDER = Path.of(System.getProperty("golden", "tests/golden"), "autoattack");

  /** What the files' names begin with; what follows tells their settings apart. */
  private static final List<String> KINDS =
      List.of("apgd_given_start", "apgd_ce", "fab", "projection", "standard");

  @TestFactory
  Stream<DynamicTest> attacksDoWhatTheOfficialCodeDid() throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      List<String> names =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".json") && !name.equals("net.json"))
              .map(name -> name.replace(".json", ""))
              .sorted()
              .toList();
      assertFalse(names.isEmpty());
      return names.stream().map(name -> dynamicTest(name, () -> run(name)));
    }
  }

  private static void run(String name) throws IOException {
    String json = Files.readString(FOLDER.resolve(name + ".json"));
    JsonObject card = JsonParser.parseString(json).getAsJsonObject();
    try (Scope _ = Scope.open("golden");
        TensorFile file = TensorFile.read(FOLDER.resolve(name + ".safetensors"))) {
      if (kind(name).equals("projection")) {
        projections(card, file.tensors());
        return;
      }
      GoldenAutoAttackCase golden = new GoldenAutoAttackCase(card, file.tensors());
      switch (kind(name)) {
        case "apgd_given_start" -> golden.apgdFromGivenStarts();
        case "apgd_ce" -> golden.apgdFromRandomStarts();
        case "fab" -> golden.fab();
        default -> golden.standard();
      }
    }
  }

  /** The one of {@link #KINDS} that a file's name begins with. */
  private static String kind(String name) {
    return KINDS.stream()
        .filter(kind -> name.startsWith(kind + "_"))
        .findFirst()
        .orElseThrow(() -> new AssertionError(name + " is not known to this test; add it"));
  }

  static Ball ball(JsonObject constants) {
    Norm norm = Norm.valueOf(constants.get("norm").getAsString().toUpperCase(Locale.ROOT));
    // FAB's files have no epsilon: the attack knows no ball until its result is judged
    return new Ball(norm, constants.has("epsilon") ? constants.get("epsilon").getAsDouble() : 1);
  }

  /** Onto the ball and [0, 1], and onto planes. */
  private static void projections(JsonObject card, Map<String, Tensor> tensors) {
    double tolerance = card.getAsJsonObject("tolerance").get("pixel_abs").getAsDouble();
    Ball ball = ball(card.getAsJsonObject("constants"));
    Tensor nearest = ball.project(tensors.get("point"), tensors.get("x"));
    assertEquals(0, nearest.sub(tensors.get("nearest")).abs().max().item(), tolerance);
    Tensor moves =
        Hyperplane.moves(
            ball.norm(), tensors.get("points"), tensors.get("normal"), tensors.get("gap"));
    assertEquals(0, moves.sub(tensors.get("moves")).abs().max().item(), tolerance);
  }
}
