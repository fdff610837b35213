package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.attack.Attacks;
import bridge.attack.Norm;
import bridge.checkpoint.Checkpoints;
import bridge.checkpoint.TensorFile;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

/** {@code evaluate}: every option, and that all they write agrees. */
class EvaluateCommandTest extends EvaluateCommands {
  private static String percent(JsonObject json, String key) {
    return "%.2f%%".formatted(100 * json.get(key).getAsDouble());
  }

  private static List<String> row(String text, String begins) {
    String line =
        text.lines().filter(l -> l.startsWith("  " + begins + " ")).findFirst().orElseThrow();
    return List.of(line.strip().split(" +"));
  }

  @Test
  void tableAndFileSayTheSameWithAllThatItDependsOn() throws IOException {
    Path out = file("out.json");
    String text =
        said(
            evaluate(
                "--attacks=clean,pgd3,transfer",
                "--restarts=2",
                "--surrogate=models/fmnist-vgg.pt",
                "--seed=7",
                "--json=" + out));
    JsonObject json = json(out);
    assertEquals(MODEL, json.get("model").getAsString());
    assertEquals(Checkpoints.sha256(Path.of(MODEL)), json.get("model_sha256").getAsString());
    assertEquals(64, json.get("surrogate_sha256").getAsString().length());
    assertEquals(20, json.get("images").getAsInt());
    assertEquals(0.05, json.get("epsilon").getAsDouble());
    assertEquals(7, json.get("seed").getAsInt());
    assertEquals(8, json.get("batch").getAsInt());
    assertEquals("[]", json.get("warnings").toString());
    assertEquals(1, json.getAsJsonObject("environment").get("threads").getAsInt());
    JsonObject pgd = result(json, 1);
    assertEquals("pgd3-r2", pgd.get("attack").getAsString());
    assertEquals(2, pgd.getAsJsonObject("settings").get("times").getAsInt());
    JsonObject inner = pgd.getAsJsonObject("settings").getAsJsonObject("attack");
    assertEquals(0.0125, inner.get("stepSize").getAsDouble());
    assertEquals("UNIFORM", inner.get("start").getAsString());
    double clean = result(json, 0).get("accuracy").getAsDouble();
    double robust = pgd.get("accuracy").getAsDouble();
    assertTrue(robust < clean);
    assertEquals((clean + robust) / 2, pgd.get("w_robust").getAsDouble());
    assertFalse(result(json, 0).has("w_robust"));
    assertFalse(pgd.has("per_class"));
    List<String> row = row(text, "pgd3-r2");
    assertEquals(
        List.of(
            "pgd3-r2",
            "20",
            percent(pgd, "accuracy"),
            percent(pgd, "worst_accuracy"),
            percent(pgd, "w_robust"),
            "0.0500",
            "0.0500"),
        row.subList(0, 7));
    assertEquals("-", row(text, "clean").get(4));
    JsonObject transfer = result(json, 2);
    assertEquals("transfer-r2", transfer.get("attack").getAsString());
    String source = transfer.getAsJsonObject("settings").get("surrogate").getAsString();
    assertEquals("models/fmnist-vgg.pt", source);
    assertTrue(transfer.get("worst_accuracy").getAsDouble() <= robust);
  }

  @Test
  void outcomesClassesAndImagesAgreeWithTheCounts() throws IOException {
    Path out = file("out.json");
    Path csv = file("out.csv");
    Path lines = file("out.jsonl");
    Path saved = file("out.safetensors");
    String[] common = {"--attacks=fgsm,clean", "--per-class", "--json=" + out};
    String text = said(evaluate(with(common, "--outcomes=" + csv, "--save-images=" + saved)));
    said(evaluate(with(common, "--outcomes=" + lines)));
    JsonObject json = json(out);

    List<String> table = Files.readAllLines(csv);
    assertEquals("index,label,fgsm,clean", table.get(0));
    assertEquals(21, table.size());
    List<String> objects = Files.readAllLines(lines);
    int[] right = new int[2];
    for (int i = 0; i < 20; i++) {
      String[] cells = table.get(i + 1).split(",");
      assertEquals(
          "{\"index\":%s,\"label\":%s,\"fgsm\":%s,\"clean\":%s}".formatted((Object[]) cells),
          objects.get(i));
      right[0] += cells[1].equals(cells[2]) ? 1 : 0;
      right[1] += cells[1].equals(cells[3]) ? 1 : 0;
    }
    for (int i = 0; i < 2; i++) {
      assertEquals(right[i], result(json, i).get("correct").getAsInt());
      int images = 0;
      int correct = 0;
      JsonArray classes = result(json, i).getAsJsonArray("per_class");
      for (var one : classes) {
        images += one.getAsJsonObject().get("images").getAsInt();
        correct += one.getAsJsonObject().get("correct").getAsInt();
      }
      assertEquals(10, classes.size());
      assertEquals(20, images);
      assertEquals(right[i], correct);
    }
    JsonObject sneaker = result(json, 0).getAsJsonArray("per_class").get(7).getAsJsonObject();
    assertEquals("Sneaker", sneaker.get("class").getAsString());
    assertEquals(sneaker.get("images").getAsString(), row(text, "Sneaker").get(1));

    try (Scope _ = Scope.open("images");
        TensorFile made = TensorFile.read(saved)) {
      Tensor fgsm = made.tensors().get("fgsm");
      Tensor clean = made.tensors().get("clean");
      assertArrayEquals(new long[] {20, 1, 28, 28}, fgsm.sizes());
      assertEquals(0.05, fgsm.sub(clean).abs().max().item(), 1e-6);
      long[] labels = made.tensors().get("labels").toLongs();
      assertEquals(table.get(1).split(",")[1], String.valueOf(labels[0]));
      assertEquals("0.05", made.metadata().get("epsilon"));
    }
  }

  private static String[] with(String[] some, String... more) {
    return Stream.concat(Arrays.stream(some), Arrays.stream(more)).toArray(String[]::new);
  }

  @Test
  void autoAttackShowsItsComponents() throws IOException {
    Path out = file("out.json");
    String text = said(evaluate("--limit=6", "--eps=0.2", "--attacks=autoattack", "--json=" + out));
    JsonObject all = result(json(out), 0);
    JsonArray components = all.getAsJsonArray("components");
    assertEquals(4, components.size());
    List<String> names = new ArrayList<>();
    for (var one : components) {
      JsonObject component = one.getAsJsonObject();
      names.add(component.get("attack").getAsString());
      String accuracy = percent(component, "accuracy");
      assertEquals(accuracy, row(text, "+ " + names.getLast()).get(3));
    }
    assertEquals(List.of("apgd-ce", "apgd-t", "fab-t", "square"), names);
    JsonObject last = components.get(3).getAsJsonObject();
    assertEquals(last.get("accuracy"), all.get("accuracy"));
    assertEquals(percent(all, "accuracy"), row(text, "autoattack").get(2));
  }

  /** Five classes are fewer than AutoAttack's targets. */
  @Test
  void warningsAreALineEachOnStandardError() throws IOException {
    Path data = file("images");
    for (String name : List.of("ant", "bee", "cat", "dog", "emu")) {
      for (String split : List.of("train", "test")) {
        Path image = data.resolve(split).resolve(name).resolve("1.png");
        Files.createDirectories(image.getParent());
        BufferedImage pixels = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
        ImageIO.write(pixels, "png", image.toFile());
      }
    }
    Path weights = file("net.pth");
    try (Scope _ = Scope.open("save")) {
      Checkpoints.write(
          weights,
          Models.build(
                  ModelSpec.parse("resnet8:width=4"),
                  3,
                  5,
                  8,
                  Normalisation.NONE,
                  new Seeds(1),
                  Device.CPU)
              .stateDict());
    }
    Path out = file("out.json");
    Console.Ran ran =
        Console.run(
            "evaluate",
            "--model=resnet8:width=4@" + weights,
            "--data=image-folder:" + data,
            "--attacks=autoattack",
            "--eps=1",
            "--threads=1",
            "--json=" + out);
    assertEquals(0, ran.status(), ran.err());
    List<String> told = ran.err().lines().toList();
    assertTrue(told.get(0).startsWith("bridge: warning: resnet8"), ran.err());
    assertTrue(told.get(0).contains("has 5 classes"), ran.err());
    JsonArray kept = json(out).getAsJsonArray("warnings");
    assertEquals(told.size(), kept.size());
    assertEquals(told.get(0), "bridge: warning: " + kept.get(0).getAsString());
  }

  @Test
  void certificatesAreToldAndWritten() throws IOException {
    Path out = file("out.json");
    String text =
        said(
            evaluate(
                "--attacks=clean",
                "--certify=0.1",
                "--certify-draws=100",
                "--certify-every=5",
                "--json=" + out));
    JsonObject smoothing = json(out).getAsJsonObject("smoothing");
    assertEquals(0.1, smoothing.get("sigma").getAsDouble());
    assertEquals(100, smoothing.get("estimation").getAsInt());
    assertEquals(4, smoothing.get("images").getAsInt());
    JsonArray each = smoothing.getAsJsonArray("certificates");
    List<Integer> places = new ArrayList<>();
    int right = 0;
    for (var one : each) {
      JsonObject image = one.getAsJsonObject();
      places.add(image.get("index").getAsInt());
      right += image.get("label").equals(image.get("prediction")) ? 1 : 0;
    }
    assertEquals(List.of(0, 5, 10, 15), places);
    JsonObject first = smoothing.getAsJsonArray("certified").get(0).getAsJsonObject();
    assertEquals(0, first.get("radius").getAsDouble());
    assertEquals(right / 4.0, first.get("accuracy").getAsDouble());
    assertEquals(percent(first, "accuracy"), row(text, "0.0000").get(1));
    assertTrue(text.contains("smoothing, σ 0.1, 100 draws, α 0.001: 4 images, "), text);
  }

  @Test
  void l1IsANormOfItsOwn() throws IOException {
    Path out = file("out.json");
    String text =
        said(evaluate("--norm=l1", "--eps=12", "--attacks=clean,square80", "--json=" + out));
    assertTrue(text.contains("L1 ε 12"), text);
    JsonObject json = json(out);
    assertEquals("L1", json.get("norm").getAsString());
    JsonObject square = result(json, 1);
    JsonObject ball = square.getAsJsonObject("settings").getAsJsonObject("ball");
    assertEquals("{\"norm\":\"L1\",\"epsilon\":12.0}", ball.toString());
    double longest = square.get("max_perturbation").getAsDouble();
    assertTrue(longest > 6 && longest <= 12 * (1 + 1e-5), () -> "longest " + longest);
    double clean = result(json, 0).get("accuracy").getAsDouble();
    assertTrue(square.get("accuracy").getAsDouble() < clean, text);
  }

  @Test
  void theSameCommandGoesOnFromItsState() throws IOException {
    Path out = file("out.json");
    Path state = file("state");
    String[] command =
        evaluate("--attacks=clean,pgd3", "--state=" + state, "--json=" + out, "--seed=5");
    String text = said(command);
    JsonObject whole = json(out);
    assertEquals(text, said(command), "also the seconds are those of the first time");
    assertEquals(whole.get("results"), json(out).get("results"));
    // one batch of the second attack is not known
    Path lines = state.resolve("evaluation.jsonl");
    List<String> all = Files.readAllLines(lines);
    assertEquals(1 + 3 + 3, all.size());
    Files.write(lines, all.subList(0, 6));
    said(command);
    for (int i = 0; i < 2; i++) {
      JsonObject now = result(json(out), i);
      JsonObject then = result(whole, i);
      now.remove("seconds");
      then.remove("seconds");
      assertEquals(then, now);
    }
    assertEquals(7, Files.readAllLines(lines).size());
    String[] changed = evaluate("--attacks=clean", "--state=" + state, "--seed=6");
    Console.Ran refused = Console.run(changed);
    assertEquals(2, refused.status());
    assertTrue(refused.err().contains("seed was 5, now 6"), refused.err());
    assertEquals(1, refused.err().lines().count(), refused.err());
  }

  @Test
  void helpListsEveryAttackWithItsNorms() {
    List<String> help = said("evaluate", "--help").lines().toList();
    for (Attacks.Entry entry : Attacks.all()) {
      String name = entry.form().orElse(entry.name());
      String line =
          help.stream()
              .filter(l -> l.matches("  (\\S+, )?" + name + " .*"))
              .findFirst()
              .orElseThrow(() -> new AssertionError(name));
      for (Norm norm : Norm.values()) {
        boolean listed = List.of(line.strip().split("[ ,]+")).contains(norm.text());
        assertEquals(entry.norms().contains(norm), listed, line);
      }
      assertTrue(line.endsWith(entry.summary()) && line.length() < 80, line);
    }
  }
}
