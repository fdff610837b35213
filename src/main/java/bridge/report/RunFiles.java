package bridge.report;

import bridge.files.FileException;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a run's folder says, as far as it is there: a missing or damaged file is an empty one, and
 * so is a missing field, for a report must also be had of a run that broke off.
 *
 * @param steps {@code metrics.jsonl}'s lines of type "step"
 * @param epochs its lines of type "epoch"
 */
record RunFiles(
    JsonObject recipe, List<JsonObject> steps, List<JsonObject> epochs, JsonObject evaluation) {

  /**
   * @throws ReportException if the folder is not there
   * @throws FileException if a file is there but cannot be read
   */
  static RunFiles of(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new ReportException("%s: no such run folder".formatted(folder), null);
    }
    List<JsonObject> steps = new ArrayList<>();
    List<JsonObject> epochs = new ArrayList<>();
    for (String text : text(folder.resolve("metrics.jsonl")).lines().toList()) {
      JsonObject line = MetricsLog.parse(text);
      if (line != null) {
        switch (string(line, "type")) {
          case "step" -> steps.add(line);
          case "epoch" -> epochs.add(line);
          default -> {}
        }
      }
    }
    return new RunFiles(
        whole(folder.resolve("recipe.json")),
        steps,
        epochs,
        whole(folder.resolve("evaluation.json")));
  }

  private static JsonObject whole(Path file) {
    JsonObject object = MetricsLog.parse(text(file));
    return object == null ? new JsonObject() : object;
  }

  /** Bytes that are not UTF-8 become replacement characters rather than an error. */
  private static String text(Path file) {
    try {
      return Files.exists(file) ? new String(Files.readAllBytes(file), StandardCharsets.UTF_8) : "";
    } catch (IOException e) {
      throw FileException.unreadable(file, e);
    }
  }

  static JsonObject object(JsonObject parent, String key) {
    return parent.get(key) instanceof JsonObject object ? object : new JsonObject();
  }

  static List<JsonObject> objects(JsonObject parent, String key) {
    List<JsonObject> objects = new ArrayList<>();
    if (parent.get(key) != null && parent.get(key).isJsonArray()) {
      for (JsonElement element : parent.getAsJsonArray(key)) {
        objects.add(element instanceof JsonObject object ? object : new JsonObject());
      }
    }
    return objects;
  }

  /** A string, number or boolean as text; empty if there is none. */
  static String string(JsonObject parent, String key) {
    return parent.get(key) instanceof JsonPrimitive primitive ? primitive.getAsString() : "";
  }

  /** A number, also one written as a string such as "NaN"; NaN if there is none. */
  static double number(JsonObject parent, String key) {
    try {
      return Double.parseDouble(string(parent, key));
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  /**
   * The curves of all numbers in one object of the lines.
   *
   * @param at the key of the horizontal place
   * @return by name, in the order of their first appearance
   */
  static Map<String, Chart.Series> series(List<JsonObject> lines, String at, String object) {
    List<String> names =
        lines.stream().flatMap(line -> object(line, object).keySet().stream()).distinct().toList();
    Map<String, Chart.Series> series = new LinkedHashMap<>();
    for (String name : names) {
      List<double[]> points = new ArrayList<>();
      for (JsonObject line : lines) {
        if (object(line, object).has(name)) {
          points.add(new double[] {number(line, at), number(object(line, object), name)});
        }
      }
      series.put(name, Chart.Series.of(name, points));
    }
    return series;
  }
}
