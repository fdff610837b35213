package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code bridge bench}: what it prints and writes, and what it refuses. */
class BenchCommandTest {
  private static final List<String> SMALL =
      List.of(
          "--set=student.model=resnet8:width=4,stride=2",
          "--set=batch=16",
          "--set=attack.steps=2",
          "--threads=1");

  @TempDir Path folder;

  private static Console.Ran bench(String recipe, String... more) {
    List<String> words = new ArrayList<>(List.of("bench", recipe));
    words.addAll(SMALL);
    words.addAll(Arrays.asList(more));
    return Console.run(words.toArray(String[]::new));
  }

  private static String printed(Console.Ran ran) {
    assertEquals("", ran.err());
    assertEquals(0, ran.status());
    return ran.out();
  }

  private static JsonObject read(Path file) throws IOException {
    return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
  }

  @Test
  void aStepIsPrintedAndWritten() throws IOException {
    Path file = folder.resolve("bench.json");
    String text =
        printed(
            bench(
                "quickstart",
                "--set=teachers=[{\"model\": \"models/fmnist-vgg.pt\"}]",
                "--steps=6",
                "--json=" + file));
    assertTrue(
        text.startsWith(
            "quickstart, batch 16 of [1, 28, 28]; cpu, threads 1, gradients FOLDED, batches in"
                + " parts of at most 32 images\n"),
        text);
    for (String line : List.of("attack ", "teachers ", "optimiser ", "GFLOP/s ", "memory ")) {
      assertTrue(text.contains("  " + line), () -> line + " in " + text);
    }
    JsonObject json = read(file);
    assertFalse(json.get("random_images").getAsBoolean());
    assertEquals(16, json.get("batch").getAsInt());
    assertEquals(6, json.getAsJsonArray("seconds").size());
    assertEquals(
        "sa-mdrad",
        json.getAsJsonObject("recipe").getAsJsonObject("method").get("name").getAsString());
    double stages = 0;
    for (JsonElement seconds : json.getAsJsonObject("stages").asMap().values()) {
      stages += seconds.getAsDouble();
    }
    double step = json.get("step_of_stages").getAsDouble();
    assertEquals(step, stages, 1e-9);
    JsonObject speed = json.getAsJsonObject("images_per_second");
    assertTrue(speed.get("low").getAsDouble() <= speed.get("median").getAsDouble());
    JsonObject operations = json.getAsJsonObject("operations");
    assertEquals(
        operations.get("per_image").getAsDouble() * speed.get("median").getAsDouble(),
        operations.get("per_second").getAsDouble(),
        1);
    assertTrue(json.get("peak_resident_bytes").getAsLong() > 100_000_000);
    assertFalse(json.has("host"));
    assertFalse(json.has("attack"));
  }

  @Test
  void dataThatIsNotThereIsDrawn() {
    String text = printed(bench("pgd-at-cifar10-resnet18", "--steps=1"));
    assertTrue(text.contains("random images of its shape"), text);
    assertTrue(text.contains("[3, 32, 32]"), text);
  }

  @Test
  void anAttackIsMeasuredInstead() throws IOException {
    Path file = folder.resolve("attack.json");
    String text =
        printed(
            bench(
                "pgd-at-fashion-mnist",
                "--set=data=fashion-mnist-mini",
                "--set=evaluate.batch=20",
                "--attack=pgd2",
                "--steps=3",
                "--json=" + file));
    assertTrue(text.contains("pgd2 on a batch of 20"), text);
    assertTrue(text.contains("s/batch"), text);
    JsonObject json = read(file);
    assertEquals("pgd2", json.get("attack").getAsString());
    assertEquals(3, json.getAsJsonArray("seconds").size());
    assertFalse(json.has("stages"));
  }

  private static void refused(String expected, Console.Ran ran) {
    assertEquals(2, ran.status(), ran.err());
    assertEquals(1, ran.err().lines().count(), ran.err());
    assertTrue(ran.err().startsWith("bridge: ") && ran.err().contains(expected), ran.err());
    assertEquals("", ran.out());
  }

  @Test
  void whatCannotBeMeasuredIsRefusedInOneLine() {
    refused("--steps must be 1 or more, found 0", bench("quickstart", "--steps=0"));
    refused("unknown attack pgdd", bench("quickstart", "--attack=pgdd"));
    refused("quickstrat", bench("quickstrat"));
    refused("bacth", bench("quickstart", "--set=bacth=1"));
    refused("is a folder", bench("quickstart", "--json=" + folder));
    refused("cannot be written", bench("quickstart", "--json=" + folder.resolve("no/b.json")));
    refused("no shape of its own", bench("quickstart", "--set=data=image-folder:nowhere"));
    refused("nowhere.pt", bench("quickstart", "--set=teachers[0].model=nowhere.pt", "--steps=1"));
  }
}
