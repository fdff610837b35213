package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.attack.Pgd;
import bridge.attack.Start;
import com.google.gson.JsonObject;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The settings of the built-in recipes against those of the papers and their code. */
final class PaperSettingsTest {
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
        assertEquals(epochs, recipe.epochs, name);
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
        assertEquals(batch, recipe.batch, name);
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
    assertEquals(epochs, recipe.epochs);
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
    assertEquals(128, recipe.batch);
  }

  private static String text(double[] milestones) {
    return Arrays.stream(milestones).mapToObj("%.0f"::formatted).collect(Collectors.joining(" "));
  }

  /** All of the published ones on Tiny-ImageNet are in the table above; and their sources named. */
  @Test
  void averagesAndSourcesOnTinyImageNet() {
    List<String> names =
        PaperRecipesTest.publishedMethods().stream()
            .filter(name -> name.contains("-tiny-imagenet-"))
            .toList();
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
        assertEquals(Math.ceilDiv(images, recipe.batch), recipe.average.batches(), name);
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
      assertEquals(128, recipe.batch, name);
      assertEquals(name.contains("cifar") ? 300 : 200, recipe.epochs, name);
      assertEquals(3, recipe.teachers.size(), name);
      assertEquals(new bridge.data.Augment(4, true), recipe.augment, name);
    }
  }
}
