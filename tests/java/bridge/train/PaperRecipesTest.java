package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.method.Methods;
import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.train.TinyRuns.RecordingListener;
import com.google.gson.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The papers' settings, built in: two steps of each on a few images in the published formats. The
 * teachers are tests/peer/make_train_teachers.py's.
 */
final class PaperRecipesTest {
  @TempDir Path folder;

  private Path data(String kind) throws IOException {
    return switch (kind) {
      case "cifar10" -> TinyRuns.cifar(folder.resolve(kind), 10, 6);
      case "cifar100" -> TinyRuns.cifar(folder.resolve(kind), 100, 30);
      default -> tinyImageNet(folder.resolve(kind));
    };
  }

  /** 200 classes of one training image, every tenth grey as some of the published ones are. */
  private static Path tinyImageNet(Path folder) throws IOException {
    Path top = folder.resolve("tiny-imagenet-200");
    StringBuilder ids = new StringBuilder();
    StringBuilder annotations = new StringBuilder();
    byte[] colour = jpeg(BufferedImage.TYPE_INT_RGB);
    byte[] grey = jpeg(BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 200; i++) {
      String id = String.format(Locale.ROOT, "n%08d", 1_000_000 + i);
      ids.append(id).append('\n');
      TinyRuns.write(
          top.resolve("train/%s/images/%s_0.JPEG".formatted(id, id)), i % 10 == 0 ? grey : colour);
      if (i < 4) {
        TinyRuns.write(top.resolve("val/images/val_%d.JPEG".formatted(i)), colour);
        annotations.append("val_%d.JPEG\t%s\t0\t0\t9\t9\n".formatted(i, id));
      }
    }
    TinyRuns.write(top.resolve("wnids.txt"), ids.toString().getBytes(StandardCharsets.UTF_8));
    TinyRuns.write(
        top.resolve("val/val_annotations.txt"),
        annotations.toString().getBytes(StandardCharsets.UTF_8));
    return folder;
  }

  private static byte[] jpeg(int type) throws IOException {
    BufferedImage image = new BufferedImage(64, 64, type);
    for (int y = 0; y < 64; y++) {
      for (int x = 0; x < 64; x++) {
        image.setRGB(x, y, x * 4 << 16 | y * 4 << 8 | (x ^ y));
      }
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertTrue(ImageIO.write(image, "jpg", out));
    return out.toByteArray();
  }

  @ParameterizedTest
  @CsvSource({
    "cifar10,       10,  resnet18",
    "cifar10,       10,  mobilenetv2",
    "cifar100,      100, resnet18",
    "cifar100,      100, mobilenetv2",
    "tiny-imagenet, 200, resnet18",
    "tiny-imagenet, 200, mobilenetv2"
  })
  void papersRecipesRun(String kind, int classes, String student) throws IOException {
    String name = "sa-mdrad-%s-%s".formatted(kind, student);
    JsonObject recipe = Recipes.load(name);
    Path teacher =
        Path.of(System.getProperty("golden"), "train", "teacher-%d.pt".formatted(classes));
    for (int i = 0; i < 3; i++) {
      Recipes.set(recipe, "teachers[%d].model=%s".formatted(i, teacher));
    }
    Recipes.set(recipe, "data=%s:%s".formatted(kind, data(kind)));
    Recipes.set(recipe, "batch=2");
    Recipes.set(recipe, "attack.steps=3");
    Recipes.set(recipe, "select.validation=2");
    Recipes.set(recipe, "method.featStartEpoch=1");
    RecordingListener recorded = new RecordingListener();
    Path out = folder.resolve("run");
    assertEquals(Trainer.Outcome.STEPS_DONE, TinyRuns.run(recipe, out, 2, recorded).outcome());
    assertEquals(2, recorded.losses.size());
    for (Map<String, Double> loss : recorded.losses) {
      assertEquals(Set.of("total", "adv", "nat", "ce", "featAdv", "featNat"), loss.keySet());
      assertTrue(
          loss.values().stream().allMatch(v -> Double.isFinite(v) && v >= 0), loss.toString());
    }
    assertTrue(Files.exists(out.resolve("last/state.safetensors")));
  }

  static List<String> publishedMethods() {
    return Recipes.names().stream()
        .filter(name -> name.matches("(?!sa-mdrad).*-(cifar100?|tiny-imagenet)-.*"))
        .toList();
  }

  /** One step of the published methods; their teachers and widest students are too large here. */
  @ParameterizedTest
  @MethodSource("publishedMethods")
  void publishedMethodsRun(String name) throws IOException {
    JsonObject recipe = Recipes.load(name);
    String kind = name.replaceFirst(".*-(cifar100?|tiny-imagenet)-.*", "$1");
    String classes = kind.equals("tiny-imagenet") ? "200" : kind.substring(5);
    Path teacher =
        Path.of(System.getProperty("golden"), "train", "teacher-%s.pt".formatted(classes));
    Recipe read = Recipe.from(recipe.deepCopy());
    Recipes.set(recipe, "student.model=" + narrow(read.student.model()));
    for (int i = 0; i < read.teachers.size(); i++) {
      String model = read.teachers.get(i).model();
      if (read.teachers.get(i).role() == Teacher.Role.PEER) {
        Recipes.set(recipe, "teachers[%d].model=%s".formatted(i, narrow(model)));
      } else {
        assertTrue(model.contains("@"), model);
        ModelSpec.parse(model.replaceFirst("@.*", "")); // there is such an architecture
        Recipes.set(recipe, "teachers[%d].model=%s".formatted(i, teacher));
      }
    }
    Recipes.set(recipe, "data=%s:%s".formatted(kind, data(kind)));
    Recipes.set(recipe, "batch=2");
    Recipes.set(recipe, "attack.steps=1");
    Recipes.set(recipe, "select.validation=2");
    runs(recipe, 1);
  }

  private static String narrow(String model) {
    return model.replaceFirst("^wrn-34-10$", "wrn-10-1");
  }

  /** A new method needs a recipe that runs on data that anybody has. */
  @Test
  void everyMethodHasARecipeOnFashionMnist() {
    List<String> wanted = Methods.names().stream().map(m -> m + "-fashion-mnist").toList();
    assertEquals(wanted, fashionMnist());
    for (String name : wanted) {
      JsonObject method = Recipes.load(name).getAsJsonObject("method");
      assertEquals(name, method.get("name").getAsString() + "-fashion-mnist");
    }
  }

  static List<String> fashionMnist() {
    return Recipes.names().stream().filter(name -> name.endsWith("-fashion-mnist")).toList();
  }

  /** Two epochs, with the bundled teachers, so that what begins after the first one does. */
  @ParameterizedTest
  @MethodSource("fashionMnist")
  void fashionMnistRecipesRun(String name) throws IOException {
    JsonObject recipe = Recipes.load(name);
    Recipe read = Recipe.from(recipe.deepCopy());
    for (int i = 0; i < read.teachers.size(); i++) {
      String drawn = read.teachers.get(i).model().replaceFirst("@runs/.*", ""); // another run's
      Recipes.set(recipe, "teachers[%d].model=%s".formatted(i, drawn));
    }
    Recipes.set(recipe, "data=fashion-mnist:" + TinyRuns.images(folder.resolve("images")));
    Recipes.set(recipe, "batch=27");
    Recipes.set(recipe, "attack.steps=2");
    Recipes.set(recipe, "select.validation=10");
    Recipes.set(recipe, "select.steps=1");
    runs(recipe, 3);
  }

  private void runs(JsonObject recipe, int steps) {
    RecordingListener recorded = new RecordingListener();
    Path out = folder.resolve("run");
    assertEquals(Trainer.Outcome.STEPS_DONE, TinyRuns.run(recipe, out, steps, recorded).outcome());
    assertEquals(steps, recorded.losses.size());
    for (Map<String, Double> loss : recorded.losses) {
      assertTrue(loss.size() > 1, loss.toString());
      assertTrue(loss.values().stream().allMatch(Double::isFinite), loss.toString());
    }
  }
}
