package bridge.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProgressTest {
  private static final Map<String, String> NO_COLOUR = Map.of("NO_COLOR", "1", "COLUMNS", "100");

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private long now = 1_000_000_000_000L;

  @Test
  void pipedLineSaysEverythingByName() {
    assertEquals(
        "epoch 2/30  step 120/390  total 1.2346  adv 0.5000  lr 0.09511  4012 images/s  2m13s left",
        line(terms("total", 1.23456, "adv", 0.5)).plain());
  }

  @Test
  void divergedLossIsShownAsItIs() {
    assertTrue(line(terms("total", Double.NaN)).plain().contains("total NaN"));
    assertTrue(line(terms("total", 123456789.0)).plain().contains("total 1.235e+08"));
  }

  @Test
  void unknownSpeedIsLeftOut() {
    ProgressLine first =
        new ProgressLine(1, 2, 1, 390, terms("total", 2.3), 0.1, Double.NaN, Double.NaN);
    assertEquals("epoch 1/2  step 1/390  total 2.3000  lr 0.1", first.plain());
  }

  @Test
  void barIsFilledByTheShareOfTheEpoch() {
    ProgressLine half = new ProgressLine(1, 2, 5, 10, Map.of(), 0.1, Double.NaN, Double.NaN);
    assertEquals(
        "epoch 1/2 ████████████░░░░░░░░░░░░ 5/10  lr 0.1",
        half.bar(new ProgressLine.Style(80, true, false)));
    assertEquals(
        "epoch 1/2 \u001b[36m############------------\u001b[0m 5/10  lr 0.1",
        half.bar(new ProgressLine.Style(80, false, true)));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 200})
  void barNeverFillsTheLastColumn(int columns) {
    Map<String, Double> terms = terms("total", 1.2, "adv", 0.4, "kd", 0.3, "feature", 0.2);
    String bar = line(terms).bar(new ProgressLine.Style(columns, true, false));
    assertTrue(bar.length() < columns, bar);
    if (columns >= 20) {
      assertTrue(bar.startsWith("epoch 2/30"), bar);
    }
    if (columns == 80) {
      assertTrue(bar.contains("total 1.2000") && bar.endsWith("2m13s left"), bar);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0s",
    "59.4, 59s",
    "59.6, 1m00s",
    "133, 2m13s",
    "3900, 1h05m",
    "183600, 2d03h",
  })
  void durationsHaveTwoUnits(double seconds, String text) {
    assertEquals(text, NumberText.duration(seconds));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "0.1, 0.1",
    "0.0951057, 0.09511",
    "1e-5, 1e-05",
    "2.5e-5, 2.5e-05",
    "100, 100",
    "-0.5, -0.5",
  })
  void numbersAreShort(double value, String text) {
    assertEquals(text, NumberText.number(value));
  }

  @Test
  void pipedOutputIsPlainLinesEveryTenSecondsAndAtTheEndOfAnEpoch() {
    Progress progress = progress(false, Map.of(), StandardCharsets.UTF_8);
    for (int step = 1; step <= 100; step++) {
      now += 250_000_000L;
      if (progress.due(step)) {
        progress.step(step <= 50 ? 1 : 2, step, terms("total", 1.0), 0.1);
      }
    }
    progress.close();
    String lines = text();
    assertFalse(lines.contains("\u001b") || lines.contains("\r"), lines);
    assertEquals(
        """
        epoch 1/2  step 1/50  total 1.0000  lr 0.1  512 images/s  25s left
        epoch 1/2  step 41/50  total 1.0000  lr 0.1  512 images/s  15s left
        epoch 1/2  step 50/50  total 1.0000  lr 0.1  512 images/s  13s left
        epoch 2/2  step 40/50  total 1.0000  lr 0.1  512 images/s  3s left
        epoch 2/2  step 50/50  total 1.0000  lr 0.1  512 images/s  0s left
        """,
        lines);
  }

  @Test
  void terminalIsRedrawnFourTimesASecond() {
    Progress progress = progress(true, NO_COLOUR, StandardCharsets.UTF_8);
    int redrawn = 0;
    for (int step = 1; step <= 49; step++) {
      now += 50_000_000L;
      if (progress.due()) {
        progress.step(1, step, Map.of(), 0.1);
        redrawn++;
      }
    }
    assertEquals(10, redrawn);
    assertFalse(text().contains("\n"));
    assertEquals(10, text().chars().filter(c -> c == '\r').count());
  }

  @Test
  void messageStandsAboveTheBarAndTheBarComesBack() {
    Progress progress = progress(true, NO_COLOUR, StandardCharsets.US_ASCII);
    now += 1_000_000_000L;
    progress.step(1, 25, Map.of(), 0.1);
    String bar = "epoch 1/2 ############------------ 25/50  lr 0.1  3200 img/s  3s left";
    assertEquals("\r\u001b[K" + bar, text());
    bytes.reset();
    progress.message("stopping after this step");
    assertEquals("\r\u001b[Kstopping after this step\n" + bar, text());
    bytes.reset();
    progress.close();
    progress.close();
    assertEquals("\r\u001b[K", text());
  }

  @Test
  void epochsLineReplacesTheBarForGood() {
    Progress progress = progress(true, NO_COLOUR, StandardCharsets.UTF_8);
    progress.step(1, 50, Map.of(), 0.1);
    bytes.reset();
    Map<String, String> summary = new LinkedHashMap<>();
    summary.put("clean", "81.2 %");
    summary.put("pgd", "50.3 %");
    progress.epochDone(1, summary);
    assertEquals("\r\u001b[Kepoch 1/2 done  clean 81.2 %  pgd 50.3 %\n", text());
  }

  @Test
  void validationDoesNotSlowTheImagesPerSecond() {
    Progress progress = progress(false, Map.of(), StandardCharsets.UTF_8);
    now += 8_000_000_000L;
    progress.step(1, 40, Map.of(), 0.1);
    now += 60_000_000_000L;
    progress.epochDone(1, Map.of());
    now += 5_000_000_000L;
    progress.step(2, 75, Map.of(), 0.1);
    assertEquals(2, text().split("640 images/s", -1).length - 1, text());
  }

  @Test
  void stepsOfAnEarlierProcessCountNeitherForSpeedNorForTimeLeft() {
    Progress progress = progress(false, Map.of(), StandardCharsets.UTF_8);
    now += 30_000_000_000L;
    progress.resumed(80);
    now += 10_000_000_000L;
    progress.step(2, 90, Map.of(), 0.1);
    assertEquals("epoch 2/2  step 40/50  lr 0.1  128 images/s  10s left\n", text());
  }

  @Test
  void dumbTerminalGetsPlainLines() {
    Progress progress = progress(true, Map.of("TERM", "dumb"), StandardCharsets.UTF_8);
    progress.step(1, 1, Map.of(), 0.1);
    assertEquals("epoch 1/2  step 1/50  lr 0.1\n", text());
  }

  @Test
  void environmentDecidesWidthAndColour() {
    assertEquals(
        new ProgressLine.Style(132, true, true),
        ProgressLine.Style.of(Map.of("COLUMNS", "132", "NO_COLOR", ""), StandardCharsets.UTF_8));
    assertEquals(
        new ProgressLine.Style(80, false, false),
        ProgressLine.Style.of(
            Map.of("COLUMNS", "wide", "NO_COLOR", "1"), StandardCharsets.ISO_8859_1));
  }

  private Progress progress(boolean terminal, Map<String, String> environment, Charset charset) {
    return new Progress(
        new PrintStream(bytes, false, charset), terminal, 2, 50, 128, environment, () -> now);
  }

  private String text() {
    return bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }

  private static ProgressLine line(Map<String, Double> terms) {
    return new ProgressLine(2, 30, 120, 390, terms, 0.0951057, 4012.3, 133);
  }

  private static Map<String, Double> terms(Object... pairs) {
    Map<String, Double> terms = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      terms.put((String) pairs[i], (Double) pairs[i + 1]);
    }
    return terms;
  }
}
