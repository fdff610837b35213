package bridge.report;

import bridge.Json;
import bridge.files.AppendedFile;
import bridge.files.FileException;
import bridge.files.WholeFile;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * {@code metrics.jsonl}: one JSON object per line, each written at once and never changed.
 *
 * <p>All that depends on the clock or the machine (seconds, images per second, memory) stands under
 * the one key {@code time}. Without that key the lines of two runs with the same recipe, seed and
 * kind of device can be compared byte for byte, and a run that was interrupted and resumed has the
 * lines of one that was not. NaN and the infinities, which JSON lacks, are the strings {@code
 * "NaN"}, {@code "Infinity"} and {@code "-Infinity"}.
 *
 * <p>A line of an epoch is forced to the disk. Write it before the checkpoint of the same step:
 * then a checkpoint never knows more than the log.
 */
public final class MetricsLog implements AutoCloseable {
  private final AppendedFile out;

  private MetricsLog(Path file) {
    out = AppendedFile.open(file);
  }

  /**
   * Begins an empty log; one that is there is emptied.
   *
   * @throws FileException if the file cannot be written
   */
  public static MetricsLog create(Path file) {
    WholeFile.write(file, new byte[0]);
    return new MetricsLog(file);
  }

  /**
   * Goes on with the log of an interrupted run: lines of steps after {@code step} are dropped, and
   * so is a last line that is not whole. The others stay as they are, byte for byte. A missing file
   * is an empty log.
   *
   * @param step the checkpoint's
   * @throws FileException if the file cannot be read or written
   * @throws ReportException if a line before the last is damaged
   */
  public static MetricsLog resume(Path file, long step) {
    if (Files.exists(file)) {
      byte[] before = read(file);
      byte[] after = upTo(step, before, file);
      if (!Arrays.equals(before, after)) {
        WholeFile.write(file, after);
      }
    }
    return new MetricsLog(file);
  }

  /**
   * Logs a step.
   *
   * @param step counted over all epochs, from 1 on
   * @param epoch from 1 on
   * @param loss its terms by name
   * @param time seconds and the like
   */
  public void step(
      long step, int epoch, double learningRate, Map<String, ?> loss, Map<String, ?> time) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("type", "step");
    line.put("step", step);
    line.put("epoch", epoch);
    line.put("lr", learningRate);
    line.put("loss", loss);
    line.put("time", time);
    append(line);
  }

  /**
   * Logs the end of an epoch.
   *
   * @param step its last
   * @param loss the means of the terms over the epoch
   * @param validation accuracies in [0, 1] by attack; empty if it was not validated
   * @param method the method's own figures, for instance {@code teacher0.weight}
   * @param time seconds and the like
   */
  public void epoch(
      long step,
      int epoch,
      Map<String, ?> loss,
      Map<String, ?> validation,
      Map<String, ?> method,
      Map<String, ?> time) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("type", "epoch");
    line.put("epoch", epoch);
    line.put("step", step);
    line.put("loss", loss);
    line.put("validation", validation);
    line.put("method", method);
    line.put("time", time);
    append(line);
    out.force();
  }

  /**
   * Logs any line. Keys keep the map's order.
   *
   * @param line strings, numbers, booleans, and lists and maps of these; with the key {@code step}
   *     if it belongs to one
   * @throws FileException if the disk does not take it
   */
  public void append(Map<String, ?> line) {
    out.write(Json.line(finite(line)) + "\n");
  }

  @Override
  public void close() {
    out.close();
  }

  private static Object finite(Object value) {
    return switch (value) {
      case Double d when !Double.isFinite(d) -> d.toString();
      case Float f when !Float.isFinite(f) -> f.toString();
      case Map<?, ?> map -> {
        Map<String, Object> copy = new LinkedHashMap<>();
        map.forEach((key, element) -> copy.put(key.toString(), finite(element)));
        yield copy;
      }
      case Iterable<?> list -> {
        List<Object> copy = new ArrayList<>();
        list.forEach(element -> copy.add(finite(element)));
        yield copy;
      }
      case null, default -> value;
    };
  }

  private static byte[] upTo(long step, byte[] log, Path file) {
    ByteArrayOutputStream kept = new ByteArrayOutputStream(log.length);
    int number = 0;
    for (int start = 0, end; start < log.length; start = end + 1) {
      number++;
      end = start;
      while (end < log.length && log[end] != '\n') {
        end++;
      }
      JsonObject line = parse(new String(log, start, end - start, StandardCharsets.UTF_8));
      if (line == null && end + 1 < log.length) {
        throw new ReportException(
            "%s: line %d is not a JSON object; remove it, or train into another folder"
                .formatted(file, number),
            null);
      }
      if (line != null && stepOf(line).orElse(Long.MIN_VALUE) <= step) {
        kept.write(log, start, end - start);
        kept.write('\n');
      }
    }
    return kept.toByteArray();
  }

  private static OptionalLong stepOf(JsonObject line) {
    JsonElement step = line.get("step");
    return step != null && step.isJsonPrimitive() && step.getAsJsonPrimitive().isNumber()
        ? OptionalLong.of(step.getAsLong())
        : OptionalLong.empty();
  }

  /** A line's object; null if it is none. */
  static JsonObject parse(String line) {
    try {
      return JsonParser.parseString(line) instanceof JsonObject object ? object : null;
    } catch (JsonParseException e) {
      return null;
    }
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileException.unreadable(file, e);
    }
  }
}
