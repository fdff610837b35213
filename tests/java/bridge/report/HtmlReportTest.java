package bridge.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.files.FileException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

class HtmlReportTest {
  @TempDir Path run;

  @Test
  void curvesOfAWholeRunAreAllThere() throws Exception {
    whole();
    Document page = page();
    assertEquals(
        List.of(
            "Loss terms",
            "Accuracy on validation images",
            "Teachers' accuracy on adversarial images",
            "Fraction of teachers' answers rectified",
            "Mean weight per teacher",
            "Learning rate"),
        texts(page, "figcaption"));
    assertEquals(2 + 2 + 2 + 2 + 2 + 1, page.getElementsByTagName("path").getLength());
    assertEquals(List.of("mine", "Epochs", "Recipe"), both(page, "h1", "summary"));
    String text = page.getDocumentElement().getTextContent();
    assertTrue(text.contains("teacher1.v1 50.0 %"), "mean weight in the legend");
    assertTrue(text.contains("resnet, vgg"), "teachers by the names of their files");
    assertTrue(text.contains("3 of 8"), "epochs done of those planned");
    assertTrue(text.contains("30s"), "time of all epochs");
    assertTrue(text.contains("87.5 %") && text.contains("pgd20"), "evaluation");
    assertTrue(text.contains("47.5 %"), "under all attacks so far");
    assertEquals(List.of("resnet20@best.pth", "resnet20@last.pth"), texts(page, "h3"));
    assertTrue(text.contains("62.5 %"), "the last state too");
  }

  @Test
  void curvePassesThroughItsPoints() throws Exception {
    whole();
    Element figure = (Element) page().getElementsByTagName("figure").item(1);
    Element clean = (Element) figure.getElementsByTagName("path").item(0);
    List<Double> numbers = new ArrayList<>();
    for (String number : clean.getAttribute("d").substring(1).split("[L ]")) {
      numbers.add(Double.parseDouble(number));
    }
    // Clean accuracy 0.2, 0.4, 0.8 at epochs 1, 2, 3: the axis goes from 0 to 80 %.
    assertEquals(6, numbers.size());
    assertEquals(numbers.get(4) - numbers.get(2), numbers.get(2) - numbers.get(0), 0.11);
    double perAccuracy = (numbers.get(1) - numbers.get(5)) / 0.6;
    assertEquals(0.2 * perAccuracy, numbers.get(1) - numbers.get(3), 0.11);
    assertEquals(10, numbers.get(5), 0.01, "the highest stands at the top");
  }

  @Test
  void hostileTextStaysText() throws Exception {
    String evil = "</title><script>alert('1' & \\\"2\\\")</script>{{recipe}}$1\\\\\\u0000";
    write("recipe.json", "{\"name\":\"%s\",\"data\":\"%s\"}".formatted(evil, evil));
    write(
        "metrics.jsonl",
        "{\"type\":\"epoch\",\"epoch\":1,\"validation\":{\"%s\":0.5},\"loss\":{\"%s\":\"NaN\"}}"
            .formatted(evil, evil));
    write("evaluation.json", "{\"results\":[{\"attack\":\"%s\",\"accuracy\":1}]}".formatted(evil));
    Document page = page();
    assertEquals(0, page.getElementsByTagName("script").getLength());
    assertEquals(
        "</title><script>alert('1' & \"2\")</script>{{recipe}}$1\\\ufffd",
        page.getElementsByTagName("h1").item(0).getTextContent());
  }

  @Test
  void pageNeedsNothingElse() throws Exception {
    whole();
    String page = HtmlReport.page(run);
    for (String outside : List.of("http:", "https:", "src=", "href=", "url(", "@import", "{{")) {
      assertFalse(page.contains(outside), outside);
    }
  }

  @Test
  void emptyFolderGivesAPageThatSaysSo() throws Exception {
    String text = page().getDocumentElement().getTextContent();
    assertTrue(text.contains("Not evaluated"));
    assertTrue(text.contains("Nothing to draw"));
    assertTrue(text.contains("No epoch has ended"));
    assertTrue(text.contains("no recipe.json"));
    assertTrue(text.contains(run.getFileName().toString()), "named by its folder");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "not JSON",
        "[]",
        "{\"type\":7}",
        "{\"type\":\"epoch\"}",
        "{\"type\":\"step\",\"step\":\"x\",\"loss\":[1],\"lr\":{}}",
        "{\"type\":\"epoch\",\"epoch\":1,\"loss\":3,\"validation\":{\"clean\":null},\"time\":\"\"}",
        "{\"type\":\"epoch\",\"epoch\":1,\"method\":{\"a\":1,\".\":2,\"b.c.d\":-3}}",
        "{\"results\":{},\"teachers\":7,\"name\":[]}",
        "{\"results\":[1,{\"accuracy\":\"NaN\"},{\"attack\":null,\"accuracy\":7}]}",
        "{\"teachers\":[3]}",
      })
  void oddFilesStillGiveAPage(String content) throws Exception {
    for (String name : List.of("recipe.json", "metrics.jsonl", "evaluation.json")) {
      write(name, content);
    }
    page();
  }

  @Test
  void lossThatIsNotFiniteIsSaid() throws Exception {
    write(
        "metrics.jsonl",
        """
        {"type":"step","step":1,"loss":{"total":2.0}}
        {"type":"step","step":2,"loss":{"total":"NaN"}}
        {"type":"step","step":3,"loss":{"total":1.0}}
        """);
    Document page = page();
    assertTrue(
        page.getDocumentElement()
            .getTextContent()
            .contains("The loss term total was not finite at step 2."));
    String path = ((Element) page.getElementsByTagName("path").item(0)).getAttribute("d");
    assertTrue(path.matches("M[^ML]*M[^ML]*"), "a gap, no line through it: " + path);
  }

  @Test
  void tornLastLineIsPassedOver() throws Exception {
    whole();
    Files.writeString(
        run.resolve("metrics.jsonl"),
        Files.readString(run.resolve("metrics.jsonl")) + "{\"type\":\"epo");
    assertTrue(page().getDocumentElement().getTextContent().contains("3 of 8"));
  }

  @Test
  void manyStepsAreAveragedToFewPoints() {
    List<double[]> points = new ArrayList<>();
    for (int i = 1; i <= 4000; i++) {
      points.add(new double[] {i, i % 2 == 0 ? 3 : 1});
    }
    Chart.Series series = Chart.Series.of("total", points);
    assertEquals(400, series.x().length);
    assertEquals(4000, series.x()[399]);
    for (double y : series.y()) {
      assertEquals(2, y);
    }
  }

  @Test
  void constantAndSingleValuesAreDrawn() {
    for (double value : new double[] {0, 1, -5, 1e-9, 1e30}) {
      Chart chart =
          new Chart(
              "t",
              "epoch",
              false,
              List.of(new Chart.Series("a", new double[] {1}, new double[] {value})));
      assertFalse(chart.html().contains("NaN") || chart.html().contains("Infinity"), chart.html());
      assertTrue(chart.html().contains("<circle"));
      assertTrue(chart.html().length() < 5000, "few ticks");
    }
  }

  @Test
  void missingFolderAndUnwritablePageAreErrors() {
    Path gone = run.resolve("gone");
    ReportException e =
        assertThrows(ReportException.class, () -> HtmlReport.write(gone, run.resolve("a.html")));
    assertEquals(gone + ": no such run folder", e.getMessage());
    assertThrows(FileException.class, () -> HtmlReport.write(run, gone.resolve("a.html")));
  }

  private void whole() throws IOException {
    write(
        "recipe.json",
        """
        {"name": "mine", "data": "fashion-mnist-mini", "student": {"arch": "resnet20"}, "epochs": 8,
         "teachers": [{"model": "models/resnet.pt"}, {"model": "models/vgg.pt"}], "seed": 1}
        """);
    Path log = run.resolve("metrics.jsonl");
    try (MetricsLog metrics = MetricsLog.create(log)) {
      for (int epoch = 1; epoch <= 3; epoch++) {
        for (int step = 1; step <= 5; step++) {
          metrics.step(
              5 * (epoch - 1) + step, epoch, 0.1, Map.of("total", 2.0, "adv", 1.0), Map.of());
        }
        metrics.epoch(
            5 * epoch,
            epoch,
            Map.of("total", 2.0),
            new TreeMap<>(Map.of("clean", 0.1 * (1 << epoch), "pgd", 0.1)),
            methodValues(),
            Map.of("seconds", 10, "images_per_second", 400.0, "resident_mb", 800));
      }
    }
    write(
        "evaluation.json",
        """
        {"model": "resnet20@best.pth", "epsilon": "0.1", "images": 1000, "results": [
          {"attack": "clean", "accuracy": 0.875, "seconds": 1.2},
          {"attack": "pgd20", "accuracy": 0.5, "worst_accuracy": 0.475, "seconds": 61}],
         "last_model": "resnet20@last.pth",
         "last_results": [{"attack": "clean", "accuracy": 0.625}]}
        """);
  }

  private static Map<String, Double> methodValues() {
    Map<String, Double> values = new LinkedHashMap<>();
    for (int teacher = 0; teacher < 2; teacher++) {
      values.put("teacher" + teacher + ".v1.accuracyAdv", 0.4);
      values.put("teacher" + teacher + ".v1.rectified", 0.6);
      values.put("teacher" + teacher + ".v1.weight", 0.5);
    }
    return values;
  }

  private void write(String name, String content) throws IOException {
    Files.writeString(run.resolve(name), content);
  }

  /** The written page, read by an XML parser: every tag closed, every character allowed. */
  private Document page() throws IOException, SAXException, ParserConfigurationException {
    Path file = run.resolve("report.html");
    HtmlReport.write(run);
    String page = Files.readString(file);
    assertTrue(page.startsWith("<!DOCTYPE html>\n"));
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(page.getBytes(StandardCharsets.UTF_8)));
  }

  private static List<String> texts(Document page, String tag) {
    NodeList nodes = page.getElementsByTagName(tag);
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < nodes.getLength(); i++) {
      texts.add(nodes.item(i).getTextContent());
    }
    return texts;
  }

  private static List<String> both(Document page, String first, String second) {
    List<String> texts = texts(page, first);
    texts.addAll(texts(page, second));
    return texts;
  }
}
