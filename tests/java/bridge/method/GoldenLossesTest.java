package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import bridge.checkpoint.TensorFile;
import bridge.torch.DType;
import bridge.torch.Scope;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Outer losses, and their gradients with respect to the student's logits, against what the papers'
 * own code made of the same logits. The registered method is run, on networks that say what the
 * case gives: in float32 against the case's tolerance, and in float64 against its float64 loss,
 * which leaves room for nothing but the order of additions.
 */
public final class GoldenLossesTest {
  private static List<Path> cards() throws IOException {
    Path folder = Path.of(System.getProperty("golden", "tests/golden"), "losses");
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(f -> f.toString().endsWith(".json")).sorted().toList();
    }
  }

  /** The methods that there are cases of. */
  public static Set<String> methods() throws IOException {
    Set<String> names = new TreeSet<>();
    for (Path card : cards()) {
      names.add(method(JsonParser.parseString(Files.readString(card)).getAsJsonObject()));
    }
    return names;
  }

  @TestFactory
  Stream<DynamicTest> lossesAreThoseOfThePublicCode() throws IOException {
    List<Path> cards = cards();
    assertFalse(cards.isEmpty());
    return cards.stream()
        .map(
            card ->
                DynamicTest.dynamicTest(
                    card.getFileName().toString().replace(".json", ""), () -> run(card)));
  }

  private static void run(Path file) throws IOException {
    JsonObject card = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    String method = method(card);
    Path tensors = Path.of(file.toString().replace(".json", ".safetensors"));
    long before = Scope.alive();
    try (Scope _ = Scope.open("golden");
        TensorFile golden = TensorFile.read(tensors)) {
      for (DType type : List.of(DType.FLOAT32, DType.FLOAT64)) {
        if (method.equals("mtard")) {
          MtardSequences.check(card, golden.tensors(), type);
        } else {
          GoldenLossCase one = new GoldenLossCase(method, card, golden.tensors(), type);
          one.checkLoss();
          one.checkGradients();
          one.checkParts();
        }
      }
    }
    assertEquals(before, Scope.alive(), "native objects alive after the case");
  }

  /** The name of the method that a case's source implements. */
  private static String method(JsonObject card) {
    JsonObject source = card.getAsJsonObject("source");
    String file = source.get("file").getAsString();
    String what = source.get("what").getAsString();
    String repository = source.get("repo").getAsString().replaceFirst("^.*?/", "");
    return switch (repository) {
      case "yaodongyu/TRADES" -> "trades";
      case "YisenWang/MART" -> "mart";
      case "zibojia/RSLAD" -> "rslad";
      case "goldblum/AdversariallyRobustDistillation" -> "ard";
      case "Amik-TJ/dynamic_rectification_knowledge_distillation" -> "drkd";
      case "zhaoshiji123/MTARD", "zhaoshiji123/MTARD-extension" -> "mtard";
      case "ZFancy/IAD" ->
          switch (file) {
            case "ARD.py" -> "ard";
            case "IAD-I.py", "IAD-II.py" -> "iad";
            default -> throw unknown(repository, file, what);
          };
      case "boyellow/AdaAD" -> {
        if (what.contains("AdaAD_with_IAD1")) {
          yield "ada-iad";
        }
        if (what.contains("Plain_Madry")) {
          yield "pgd-at";
        }
        if (!what.contains("method AdaAD,")) {
          throw unknown(repository, file, what);
        }
        yield "ada-ad";
      }
      case "Rorozhl/CA-MKD" ->
          switch (file) {
            case "distiller_zoo/KD.py" -> "kd";
            case "helper/loops.py" -> "ca-mkd";
            default -> throw unknown(repository, file, what);
          };
      default -> throw unknown(repository, file, what);
    };
  }

  private static AssertionError unknown(String repository, String file, String what) {
    return new AssertionError(
        "no method here is that of %s, %s: %s".formatted(repository, file, what));
  }
}
