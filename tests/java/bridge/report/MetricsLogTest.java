package bridge.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.files.FileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MetricsLogTest {
  @TempDir Path folder;
  private Path file;

  @BeforeEach
  void name() {
    file = folder.resolve("metrics.jsonl");
  }

  @Test
  void linesHaveTheDocumentedShape() throws IOException {
    try (MetricsLog log = MetricsLog.create(file)) {
      Map<String, Double> loss = new LinkedHashMap<>();
      loss.put("total", 1.25);
      loss.put("adv", Double.NaN);
      log.step(1, 1, 1e-5, loss, Map.of("seconds", 0.5));
      log.epoch(
          390,
          1,
          Map.of("total", Float.NEGATIVE_INFINITY),
          Map.of("clean", 0.8),
          Map.of("teacher0.weight", 0.33),
          Map.of("resident_mb", 800));
    }
    assertEquals(
        """
        {"type":"step","step":1,"epoch":1,"lr":1.0E-5,"loss":{"total":1.25,"adv":"NaN"},\
        "time":{"seconds":0.5}}
        {"type":"epoch","epoch":1,"step":390,"loss":{"total":"-Infinity"},\
        "validation":{"clean":0.8},"method":{"teacher0.weight":0.33},"time":{"resident_mb":800}}
        """,
        Files.readString(file));
  }

  @Test
  void everyLineIsThereBeforeTheLogIsClosed() throws IOException {
    try (MetricsLog log = MetricsLog.create(file)) {
      log.append(Map.of("note", "<ä & \"ö\">\n", "list", List.of(1, Double.NaN)));
      String text = Files.readString(file);
      assertEquals(1, text.lines().count());
      assertEquals("<ä & \"ö\">\n", MetricsLog.parse(text).get("note").getAsString(), text);
      assertTrue(text.contains("[1,\"NaN\"]"), text);
    }
  }

  @Test
  void resumedRunLeavesTheLinesOfAnUninterruptedOne() throws IOException {
    Path straight = folder.resolve("straight.jsonl");
    try (MetricsLog log = MetricsLog.create(straight)) {
      steps(log, 1, 20);
    }
    try (MetricsLog log = MetricsLog.create(file)) {
      steps(log, 1, 17);
    }
    try (MetricsLog log = MetricsLog.resume(file, 10)) {
      steps(log, 11, 20);
    }
    assertEquals(Files.readString(straight), Files.readString(file));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(2, files.count(), "nothing else is left in the folder");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"{\"type\":\"step\",\"st", "{\"type\":\"step\",\"st\n", "\0\0\0\0", "{", "7"})
  void tornLastLineIsDropped(String torn) throws IOException {
    Files.writeString(file, "{\"step\":1}\n{\"step\":2}\n" + torn);
    MetricsLog.resume(file, 9).close();
    assertEquals("{\"step\":1}\n{\"step\":2}\n", Files.readString(file));
  }

  @Test
  void lastLineThatLacksOnlyItsEndIsKept() throws IOException {
    Files.writeString(file, "{\"step\":1}\n{\"step\":2}");
    MetricsLog.resume(file, 2).close();
    assertEquals("{\"step\":1}\n{\"step\":2}\n", Files.readString(file));
  }

  @Test
  void keptLinesStayByteForByte() throws IOException {
    String odd = "{ \"step\" : 1.0 , \"lr\":1e-1,\"ä\":\"\\u00e4\" }\n{\"note\":\"no step\"}\n";
    Files.writeString(file, odd + "{\"step\":2}\n{\"step\":3}\n");
    MetricsLog.resume(file, 1).close();
    assertEquals(odd, Files.readString(file));
  }

  @Test
  void damagedLineInTheMiddleIsNamedAndNothingIsLost() throws IOException {
    String damaged = "{\"step\":1}\n{\"st\n{\"step\":3}\n";
    Files.writeString(file, damaged);
    ReportException e =
        assertThrows(ReportException.class, () -> MetricsLog.resume(file, 1).close());
    assertTrue(e.getMessage().contains("metrics.jsonl: line 2 "), e.getMessage());
    assertEquals(damaged, Files.readString(file));
  }

  @Test
  void missingLogIsResumedAsAnEmptyOne() throws IOException {
    try (MetricsLog log = MetricsLog.resume(file, 5)) {
      steps(log, 6, 6);
    }
    assertEquals(1, Files.readAllLines(file).size());
  }

  @Test
  void folderThatIsNotThereIsSaidInOneLine() {
    Path nowhere = folder.resolve("gone/metrics.jsonl");
    FileException e = assertThrows(FileException.class, () -> MetricsLog.create(nowhere));
    assertEquals(
        "%s cannot be written: there is no folder %s; create it, or name another"
            .formatted(nowhere, nowhere.getParent()),
        e.getMessage());
    assertEquals(1, e.exitCode());
  }

  private static void steps(MetricsLog log, int from, int to) {
    for (int step = from; step <= to; step++) {
      int epoch = (step + 4) / 5;
      log.step(step, epoch, 0.1 / step, Map.of("total", 1.0 / step), Map.of());
      if (step % 5 == 0) {
        log.epoch(step, epoch, Map.of(), Map.of("clean", 0.1 * epoch), Map.of(), Map.of());
      }
    }
  }
}
