package bridge.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

/** The numbers of many evaluations, side by side and unchanged. */
class LeaderboardTest {
  @TempDir Path folder;

  private Path file(String name, String content) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, content);
  }

  /** What {@code bridge evaluate --json} writes, of one model. */
  private Path evaluation(String model, double epsilon, String... results) throws IOException {
    return file(
        model.replace('/', '_') + epsilon + ".json",
        """
        {"model": "%s", "data": "cifar10:/data", "norm": "LINF", "epsilon": %s, "results": [%s]}
        """
            .formatted(model, epsilon, String.join(",", results)));
  }

  private static String result(String attack, double accuracy, double worst) {
    return "{\"attack\": \"%s\", \"images\": 200, \"accuracy\": %s, \"worst_accuracy\": %s}"
        .formatted(attack, accuracy, worst);
  }

  private Path run() throws IOException {
    file(
        "run/recipe.json",
        """
        {"name": "r", "method": {"name": "rslad"}, "student": {"model": "resnet18"}}
        """);
    file(
        "run/evaluation.json",
        """
        {"recipe": "r", "data": "cifar10:/data", "norm": "LINF", "epsilon": %s,
         "model": "best.pth", "results": [%s], "last_model": "last.pth", "last_results": [%s]}
        """
            .formatted(
                8.0 / 255,
                result("clean", 0.8, 0.8) + "," + result("pgd20", 0.5, 0.49),
                result("clean", 0.85, 0.85) + "," + result("pgd20", 0.4, 0.4)));
    return folder.resolve("run");
  }

  private List<Path> three() throws IOException {
    return List.of(
        evaluation("b.pt", 8.0 / 255, result("fgsm", 0.3333, 0.3333)),
        run(),
        evaluation(
            "a.pt", 8.0 / 255, result("clean", 0.9, 0.9), result("autoattack", 0.4567, 0.4567)));
  }

  private static List<String> words(String line) {
    return List.of(line.strip().split(" {2,}"));
  }

  @Test
  void theMostRobustComesFirstAndWhatIsNotThereIsADash() throws IOException {
    List<String> lines = Leaderboard.of(three(), null).text().lines().toList();
    assertEquals("cifar10:/data, LINF ε 8/255", lines.get(0));
    List<String> heading =
        List.of(
            "#",
            "model",
            "method",
            "student",
            "images",
            "clean",
            "fgsm",
            "pgd20",
            "autoattack",
            "worst",
            "W-robust");
    assertEquals(heading, words(lines.get(1)));
    assertEquals(
        List.of(
            "1", "run", "rslad", "resnet18", "200", "80.00", "-", "50.00", "-", "49.00", "65.00"),
        words(lines.get(2)));
    assertEquals(
        List.of("2", "a.pt", "-", "-", "200", "90.00", "-", "-", "45.67", "45.67", "67.84"),
        words(lines.get(3)));
    assertEquals("run (last)", words(lines.get(4)).get(1));
    assertEquals(
        List.of("4", "b.pt", "-", "-", "200", "-", "33.33", "-", "-", "33.33", "-"),
        words(lines.get(5)));
  }

  @Test
  void aColumnDecidesTheOrder() throws IOException {
    List<String> lines = Leaderboard.of(three(), "Clean").text().lines().toList();
    assertEquals(
        List.of("a.pt", "run (last)", "run", "b.pt"),
        lines.subList(2, 6).stream().map(line -> words(line).get(1)).toList());
    UsageException e = assertThrows(UsageException.class, () -> Leaderboard.of(three(), "pgd21"));
    assertEquals(
        "--sort must name a column, found pgd21; did you mean pgd20?;"
            + " there are fgsm, clean, pgd20, autoattack, worst, W-robust",
        e.getMessage());
  }

  @Test
  void jsonHasTheNumbersOfTheFiles() throws IOException {
    Path out = folder.resolve("board.json");
    Leaderboard.of(three(), null).writeJson(out);
    JsonArray tables =
        JsonParser.parseString(Files.readString(out)).getAsJsonObject().getAsJsonArray("tables");
    assertEquals(1, tables.size());
    JsonArray rows = tables.get(0).getAsJsonObject().getAsJsonArray("rows");
    JsonObject a = rows.get(1).getAsJsonObject();
    assertEquals(0.4567, a.getAsJsonObject("accuracy").get("autoattack").getAsDouble());
    assertEquals(0.9, a.getAsJsonObject("accuracy").get("clean").getAsDouble());
    assertTrue(a.getAsJsonObject("accuracy").get("pgd20").isJsonNull());
    assertEquals((0.9 + 0.4567) / 2, a.get("w_robust").getAsDouble());
    assertTrue(a.get("method").isJsonNull());
    JsonObject b = rows.get(3).getAsJsonObject();
    assertTrue(b.getAsJsonObject("accuracy").get("clean").isJsonNull());
    assertTrue(b.get("w_robust").isJsonNull());
    assertEquals(0.3333, b.get("worst_accuracy").getAsDouble());
  }

  @Test
  void markdownIsATableForEachEpsilon() throws IOException {
    Path out = folder.resolve("board.md");
    Path other = evaluation("a|b.pt", 0.1, result("clean", 0.9, 0.9));
    Leaderboard.of(List.of(run(), other), null).writeMarkdown(out);
    List<String> lines = Files.readAllLines(out);
    assertEquals("## cifar10:/data, LINF ε 8/255", lines.get(0));
    assertEquals(
        "| # | model | method | student | images | clean | pgd20 | worst | W-robust |",
        lines.get(2));
    assertEquals("|---:|:---|:---|:---|---:|---:|---:|---:|---:|", lines.get(3));
    assertEquals(
        "| 1 | run | rslad | resnet18 | 200 | 80.00 | 50.00 | 49.00 | 65.00 |", lines.get(4));
    assertTrue(lines.contains("## cifar10:/data, LINF ε 0.1"));
    assertTrue(lines.contains("| 1 | a\\|b.pt | - | - | 200 | 90.00 | 90.00 | - |"));
  }

  private static List<String> texts(Document page, String tag) {
    NodeList nodes = page.getElementsByTagName(tag);
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < nodes.getLength(); i++) {
      texts.add(nodes.item(i).getTextContent());
    }
    return texts;
  }

  private Document page(List<Path> sources) throws Exception {
    Path out = folder.resolve("board.html");
    Leaderboard.of(sources, null).writeHtml(out);
    String page = Files.readString(out);
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(page.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void pageHasTablesAndPlots() throws Exception {
    List<Path> sources = new ArrayList<>(three());
    sources.add(evaluation("b.pt", 4.0 / 255, result("fgsm", 0.6, 0.6)));
    sources.add(evaluation("b.pt", 2.0 / 255, result("fgsm", 0.7, 0.7)));
    Document page = page(sources);
    String source = Files.readString(folder.resolve("board.html"));
    for (String outside : List.of("http:", "https:", "src=", "href=", "url(", "@import", "{{")) {
      assertFalse(source.contains(outside), outside);
    }
    assertEquals(
        List.of(
            "cifar10:/data, LINF ε 8/255",
            "cifar10:/data, LINF ε 4/255",
            "cifar10:/data, LINF ε 2/255",
            "Accuracy against ε"),
        texts(page, "h2"));
    assertTrue(texts(page, "td").contains("45.67"));
    // b.pt has no clean accuracy, so it is in no plot against that
    assertEquals(
        List.of(
            "Worst accuracy against clean",
            "cifar10:/data, LINF, fgsm",
            "cifar10:/data, LINF, worst"),
        texts(page, "figcaption"));
    assertEquals(
        2 * 3, texts(page, "title").stream().filter(t -> t.startsWith("b.pt, ε in")).count());
    assertTrue(texts(page, "title").contains("b.pt, ε in 255ths 8: 33.3 %"));
    assertTrue(texts(page, "title").contains("a.pt, clean accuracy 90 %: 45.7 %"));
  }

  @Test
  void hostileTextStaysText() throws Exception {
    String evil = "</title><script>alert(1 & 2)</script>{{style}}$1";
    Document page = page(List.of(evaluation(evil, 0.1, result("clean", 0.9, 0.9))));
    assertEquals(0, page.getElementsByTagName("script").getLength());
    assertTrue(texts(page, "td").contains(evil));
  }

  @Test
  void whatIsNoEvaluationIsSaid() throws IOException {
    Files.createDirectories(folder.resolve("empty"));
    for (String[] wrong :
        new String[][] {
          {"gone", "gone: no such run folder or evaluation file; check the path"},
          {"empty", "empty has no evaluation.json: the run has not been evaluated; finish it"},
          {"list.json", "list.json holds no results; name a run's folder"},
          {"text.json", "text.json holds no results; name a run's folder"},
          {"none.json", "none.json holds no results; name a run's folder"}
        }) {
      file("list.json", "[]");
      file("text.json", "not JSON");
      file("none.json", "{\"results\": []}");
      List<Path> sources = List.of(folder.resolve(wrong[0]));
      UsageException e = assertThrows(UsageException.class, () -> Leaderboard.of(sources, null));
      assertTrue(e.getMessage().contains(wrong[1]), e::getMessage);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"results\": [1]}",
        "{\"results\": [{\"attack\": null, \"accuracy\": \"x\"}], \"epsilon\": []}",
        "{\"results\": [{\"attack\": \"clean\", \"accuracy\": \"NaN\"}], \"norm\": 7}"
      })
  void oddFilesGiveDashes(String content) throws Exception {
    Path odd = file("odd.json", content);
    String text = Leaderboard.of(List.of(odd), null).text();
    assertTrue(text.lines().toList().get(2).strip().matches("1 [- ]+-"), text);
    page(List.of(odd));
    Leaderboard.of(List.of(odd), null).writeJson(folder.resolve("odd-out.json"));
  }
}
