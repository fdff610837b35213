package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.attack.Pgd;
import bridge.attack.Start;
import bridge.method.Methods;
import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.train.TinyRuns.Heard;
import com.google.gson.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
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
    Heard heard = new Heard();
    Path out = folder.resolve("run");
    assertEquals(Trainer.Outcome.STEPS_DONE, TinyRuns.run(recipe, out, 2, heard).outcome());
    assertEquals(2, heard.losses.size());
    for (Map<String, Double> loss : heard.losses) {
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
    Heard heard = new Heard();
    Path out = folder.resolve("run");
    assertEquals(Trainer.Outcome.STEPS_DONE, TinyRuns.run(recipe, out, steps, heard).outcome());
    assertEquals(steps, heard.losses.size());
    for (Map<String, Double> loss : heard.losses) {
      assertTrue(loss.size() > 1, loss.toString());
      assertTrue(loss.values().stream().allMatch(Double::isFinite), loss.toString());
    }
  }

  /** Optimiser, schedule and attack of the scripts; the rate falls after that many epochs. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          pgd-at  | 110 | 100 105     | 0.1  | 5e-4   | 8/255 | 2/255 | GAUSSIAN_CLAMPED  | EVAL
          trades  | 76  | 74 89 99    | 0.1  | 2e-4   | 0.031 | 0.007 | GAUSSIAN          | EVAL
          mart    | 120 | 74 89 99    | 0.01 | 3.5e-3 | 0.031 | 0.007 | GAUSSIAN          | EVAL
          ard     | 200 | 100         | 0.1  | 2e-4   | 8/255 | 2/255 | UNIFORM_UNCLAMPED | TRAIN
          iad     | 200 | 100         | 0.1  | 2e-4   | 8/255 | 2/255 | UNIFORM_UNCLAMPED | TRAIN
          rslad   | 300 | 215 260 285 | 0.1  | 2e-4   | 8/255 | 2/255 | GAUSSIAN          | EVAL
          ada-ad  | 200 | 100 150     | 0.1  | 5e-4   | 8/255 | 2/255 | GAUSSIAN          | EVAL
          ada-iad | 200 | 100 150     | 0.1  | 5e-4   | 8/255 | 2/255 | GAUSSIAN          | EVAL
          mtard   | 300 | 215 260 285 | 0.1  | 2e-4   | 8/255 | 2/255 | GAUSSIAN          | EVAL
          b-mtard | 300 | 215 260 285 | 0.1  | 2e-4   | 8/255 | 2/255 | GAUSSIAN          | EVAL
          """)
  void settingsAreThoseOfTheScripts(
      String method,
      int epochs,
      String milestones,
      double rate,
      double decay,
      String epsilon,
      String stepSize,
      Start start,
      Pgd.NetworkMode mode) {
    for (String data : List.of("cifar10", "cifar100")) {
      for (String student : List.of("resnet18", "mobilenetv2")) {
        String name = "%s-%s-%s".formatted(method, data, student);
        Recipe recipe = Recipe.from(Recipes.load(name));
        assertEquals(data + ":data/" + data, recipe.data(), name);
        assertEquals(student, recipe.student.model(), name);
        assertEquals(epochs, recipe.epochs(), name);
        assertEquals(milestones, text(recipe.schedule.milestones()), name);
        assertEquals(0.1, recipe.schedule.gamma(), name);
        JsonObject optimizer = recipe.resolved().getAsJsonObject("optimizer");
        assertEquals(rate, optimizer.get("learningRate").getAsDouble(), name);
        assertEquals(decay, optimizer.get("weightDecay").getAsDouble(), name);
        assertEquals(0.9, optimizer.get("momentum").getAsDouble(), name);
        assertEquals(Options.parse(epsilon), recipe.attack().ball().epsilon(), name);
        assertEquals(Options.parse(stepSize), recipe.attack().stepSize(), name);
        assertEquals(10, recipe.attack().steps(), name);
        assertEquals(start, recipe.attack().start(), name);
        assertEquals(mode, recipe.attack().mode(), name);
        assertEquals(new bridge.data.Augment(4, true), recipe.augment, name);
        int batch = method.equals("ard") && data.equals("cifar100") ? 256 : 128;
        assertEquals(batch, recipe.batch(), name);
      }
    }
  }

  /** Likewise on Tiny-ImageNet, of the code that each recipe's description names. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ada-ad-*-resnet18          | 200 | 100 150    | 0.1 | 5e-4 | GAUSSIAN | EVAL  | 4
          ada-ad-*-mobilenetv2       | 200 | 100 150    | 0.1 | 5e-4 | GAUSSIAN | EVAL  | 4
          trades-*-resnet18          | 200 | 100 150    | 0.1 | 5e-4 | GAUSSIAN | EVAL  | 4
          trades-*-mobilenetv2       | 200 | 100 150    | 0.1 | 5e-4 | GAUSSIAN | EVAL  | 4
          trades-*-preactresnet18    | 200 | 100 150    | 0.1 | 5e-4 | GAUSSIAN | EVAL  | 4
          kd-swa-*-preactresnet18    | 200 | 50 150     | 0.1 | 5e-4 | UNIFORM  | TRAIN | 4
          pgd-at-*-preactresnet18    | 200 | 50 150     | 0.1 | 5e-4 | UNIFORM  | TRAIN | 4
          standard-*-preactresnet18  | 200 | 50 150     | 0.1 | 5e-4 | UNIFORM  | EVAL  | 4
          pgd-at-*-resnet18          | 80  | 40 60      | 0.1 | 5e-4 | UNIFORM  | TRAIN | 4
          ard-*-preactresnet18       | 200 | 100 150    | 0.1 | 2e-4 | UNIFORM  | EVAL  | 8
          rslad-*-preactresnet18     | 200 | 100 150    | 0.1 | 2e-4 | GAUSSIAN | EVAL  | 8
          iad-*-preactresnet18       | 200 | 100 150    | 0.1 | 2e-4 | UNIFORM  | EVAL  | 8
          drkd-*-resnet18            | 200 | 60 120 160 | 0.2 | 5e-4 | UNIFORM  | EVAL  | 0
          drkd-*-mobilenetv2         | 200 | 60 120 160 | 0.2 | 5e-4 | UNIFORM  | EVAL  | 0
          peer-aid-*-resnet18        | 200 | 99 149     | 0.1 | 2e-4 | GAUSSIAN | EVAL  | 4
          peer-aid-*-wrn-34-10       | 100 | 49 79      | 0.1 | 2e-4 | GAUSSIAN | EVAL  | 4
          """)
  void tinyImageNetSettingsAreThoseOfTheCode(
      String pattern,
      int epochs,
      String milestones,
      double gamma,
      double decay,
      Start start,
      Pgd.NetworkMode mode,
      int pad) {
    String name = pattern.replace("*", "tiny-imagenet");
    Recipe recipe = Recipe.from(Recipes.load(name));
    assertEquals("tiny-imagenet:data/tiny-imagenet", recipe.data());
    String student = pattern.replaceFirst(".*-\\*-", "");
    assertEquals(student, recipe.student.model().replaceFirst(":.*", ""));
    assertEquals(epochs, recipe.epochs());
    assertEquals(milestones, text(recipe.schedule.milestones()));
    assertEquals(gamma, recipe.schedule.gamma());
    assertEquals(name.startsWith("drkd") ? 1 : 0, recipe.schedule.warmup());
    JsonObject optimizer = recipe.resolved().getAsJsonObject("optimizer");
    assertEquals(0.1, optimizer.get("learningRate").getAsDouble());
    assertEquals(decay, optimizer.get("weightDecay").getAsDouble());
    assertEquals(0.9, optimizer.get("momentum").getAsDouble());
    boolean nesterov = name.equals("pgd-at-tiny-imagenet-resnet18");
    assertEquals(nesterov, optimizer.get("nesterov").getAsBoolean());
    assertEquals(8.0 / 255, recipe.attack().ball().epsilon());
    assertEquals(2.0 / 255, recipe.attack().stepSize());
    assertEquals(10, recipe.attack().steps());
    assertEquals(start, recipe.attack().start());
    assertEquals(mode, recipe.attack().mode());
    assertEquals(new bridge.data.Augment(pad, true), recipe.augment);
    assertEquals(128, recipe.batch());
  }

  private static String text(double[] milestones) {
    return Arrays.stream(milestones).mapToObj("%.0f"::formatted).collect(Collectors.joining(" "));
  }

  /** All of the published ones on Tiny-ImageNet are in the table above; and their sources named. */
  @Test
  void averagesAndSourcesOnTinyImageNet() {
    List<String> names =
        publishedMethods().stream().filter(name -> name.contains("-tiny-imagenet-")).toList();
    assertEquals(16, names.size());
    for (String name : names) {
      JsonObject json = Recipes.load(name);
      Recipe recipe = Recipe.from(json);
      boolean averages = name.startsWith("kd-swa") || name.startsWith("peer-aid");
      assertEquals(averages ? Average.Kind.SWA : Average.Kind.NONE, recipe.average.kind(), name);
      if (averages) {
        // the mean begins with the epoch after the first drop, for KD+SWA at its index 55
        double start = name.startsWith("kd-swa") ? 56 : recipe.schedule.milestones()[0] + 1;
        assertEquals(start, recipe.average.startEpoch(), name);
        int images = 100_000 - (name.startsWith("kd-swa") ? recipe.select.validation() : 0);
        assertEquals(Math.ceilDiv(images, recipe.batch()), recipe.average.batches(), name);
      }
      String description = json.get("description").getAsString();
      assertTrue(description.matches(".*commits? [0-9a-f]{7}.*"), name);
    }
  }

  /** RSLAD's and MTARD's settings, which methods of this family are compared at. */
  @Test
  void papersSettingsAreTheirs() {
    for (String name : Recipes.names()) {
      if (!name.startsWith("sa-mdrad-cifar") && !name.startsWith("sa-mdrad-tiny")) {
        continue;
      }
      Recipe recipe = Recipe.from(Recipes.load(name));
      assertEquals(8.0 / 255, recipe.attack().ball().epsilon(), name);
      assertEquals(2.0 / 255, recipe.attack().stepSize(), name);
      assertEquals(10, recipe.attack().steps(), name);
      assertEquals(128, recipe.batch(), name);
      assertEquals(name.contains("cifar") ? 300 : 200, recipe.epochs(), name);
      assertEquals(3, recipe.teachers.size(), name);
      assertEquals(new bridge.data.Augment(4, true), recipe.augment, name);
    }
  }
}
