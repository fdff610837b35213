package bridge;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The settings of one JSON object, read strictly: every value is checked, every key that nobody
 * asked for is refused, and what was asked for, defaults included, can be written down again.
 *
 * <p>A reader asks for each of its keys once, with the default, then calls {@link #done}. Numbers
 * may be text such as {@code "8/255"}.
 */
public final class Options {
  private final String where;
  private final JsonObject json;
  private final JsonObject resolved = new JsonObject();

  /**
   * @param where how messages call the object, for instance {@code attack}; empty for the top
   */
  public Options(String where, JsonObject json) {
    this.where = where;
    this.json = json;
  }

  /** Everything asked for so far, with its value: the given one or the default. */
  public JsonObject resolved() {
    return resolved;
  }

  /** The path of a key for messages: {@code attack.epsilon}. */
  public String path(String key) {
    return where.isEmpty() ? key : where + "." + key;
  }

  public boolean has(String key) {
    return json.has(key) && !json.get(key).isJsonNull();
  }

  private JsonElement read(String key, JsonElement fallback) {
    JsonElement value = has(key) ? json.get(key) : fallback;
    if (value == null) {
      throw new UsageException("%s is missing".formatted(path(key)));
    }
    resolved.add(key, value);
    return value;
  }

  private UsageException wrong(String key, String expected, JsonElement found) {
    return new UsageException("%s must be %s, found %s".formatted(path(key), expected, found));
  }

  /** A text; {@code fallback} null means that it must be given. */
  public String text(String key, String fallback) {
    JsonElement value = read(key, fallback == null ? null : new JsonPrimitive(fallback));
    if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isString()) {
      throw wrong(key, "a text", value);
    }
    return value.getAsString();
  }

  public boolean flag(String key, boolean fallback) {
    JsonElement value = read(key, new JsonPrimitive(fallback));
    if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isBoolean()) {
      throw wrong(key, "true or false", value);
    }
    return value.getAsBoolean();
  }

  /** A number from {@code low} to {@code high}; may be written {@code "8/255"}. */
  public double number(String key, double fallback, double low, double high) {
    return number(key, new JsonPrimitive(fallback), low, high);
  }

  /** As {@link #number(String, double, double, double)}; the default written as {@code "8/255"}. */
  public double number(String key, String fallback, double low, double high) {
    return number(key, fallback == null ? null : new JsonPrimitive(fallback), low, high);
  }

  private double number(String key, JsonElement fallback, double low, double high) {
    JsonElement value = read(key, fallback);
    String range = high == Double.MAX_VALUE ? "a number from %s on" : "a number from %s to %s";
    double number =
        value.isJsonPrimitive() && !value.getAsJsonPrimitive().isBoolean()
            ? parse(value.getAsString())
            : Double.NaN;
    if (!(number >= low && number <= high)) {
      throw wrong(key, range.formatted(plain(low), plain(high)), value);
    }
    return number;
  }

  public int integer(String key, int fallback, int low, int high) {
    double number = number(key, new JsonPrimitive(fallback), low, high);
    if (number != Math.rint(number)) {
      throw wrong(key, "a whole number", resolved.get(key));
    }
    resolved.addProperty(key, (int) number);
    return (int) number;
  }

  public long whole(String key, long fallback) {
    JsonElement value = read(key, new JsonPrimitive(fallback));
    if (!value.isJsonPrimitive()) {
      throw wrong(key, "a whole number", value);
    }
    try {
      return Long.parseLong(value.getAsString());
    } catch (NumberFormatException e) {
      throw wrong(key, "a whole number", value);
    }
  }

  /** One of an enum's names, in any case. */
  public <E extends Enum<E>> E choice(String key, E fallback) {
    String text = text(key, fallback.name());
    E[] all = fallback.getDeclaringClass().getEnumConstants();
    for (E e : all) {
      if (e.name().equalsIgnoreCase(text.replace('-', '_'))) {
        resolved.addProperty(key, e.name());
        return e;
      }
    }
    List<String> names = Arrays.stream(all).map(Enum::name).toList();
    throw new UsageException(
        "%s must be one of %s, found %s%s"
            .formatted(
                path(key),
                String.join(", ", names),
                text,
                hint(text.toUpperCase(Locale.ROOT), names)));
  }

  /** A list of numbers; one number stands for a list of one. */
  public double[] numbers(String key, double... fallback) {
    JsonArray none = new JsonArray();
    Arrays.stream(fallback).forEach(none::add);
    JsonElement value = read(key, none);
    List<JsonElement> items =
        value.isJsonArray() ? value.getAsJsonArray().asList() : List.of(value);
    double[] numbers = new double[items.size()];
    for (int i = 0; i < numbers.length; i++) {
      JsonElement item = items.get(i);
      numbers[i] = item.isJsonPrimitive() ? parse(item.getAsString()) : Double.NaN;
      if (Double.isNaN(numbers[i])) {
        throw wrong(key, "a list of numbers", value);
      }
    }
    return numbers;
  }

  /** A list of texts; one text stands for a list of one. */
  public List<String> texts(String key, String... fallback) {
    JsonArray none = new JsonArray();
    Arrays.stream(fallback).forEach(none::add);
    JsonElement value = read(key, none);
    List<JsonElement> items =
        value.isJsonArray() ? value.getAsJsonArray().asList() : List.of(value);
    List<String> texts = new ArrayList<>();
    for (JsonElement item : items) {
      if (!item.isJsonPrimitive() || !item.getAsJsonPrimitive().isString()) {
        throw wrong(key, "a list of texts", value);
      }
      texts.add(item.getAsString());
    }
    return texts;
  }

  /** The object under a key; an empty one where there is none, so that its defaults apply. */
  public Options object(String key) {
    JsonElement value = has(key) ? json.get(key) : new JsonObject();
    return nested(key, path(key), value, resolved::add);
  }

  /** The objects of a list. */
  public List<Options> objects(String key) {
    JsonElement value = read(key, new JsonArray());
    if (!value.isJsonArray()) {
      throw wrong(key, "a list of objects", value);
    }
    JsonArray inner = new JsonArray();
    resolved.add(key, inner);
    List<Options> all = new ArrayList<>();
    for (JsonElement item : value.getAsJsonArray()) {
      String place = "%s[%d]".formatted(path(key), all.size());
      all.add(nested(key, place, item, (k, v) -> inner.add(v)));
    }
    return all;
  }

  private Options nested(
      String key,
      String place,
      JsonElement value,
      java.util.function.BiConsumer<String, JsonElement> to) {
    if (!value.isJsonObject()) {
      throw new UsageException("%s must be an object, found %s".formatted(place, value));
    }
    Options options = new Options(place, value.getAsJsonObject());
    to.accept(key, options.resolved);
    return options;
  }

  /**
   * Refuses what nobody asked for.
   *
   * @throws UsageException naming the key and the nearest one that is known
   */
  public void done() {
    for (String key : json.keySet()) {
      if (!resolved.has(key)) {
        List<String> known = List.copyOf(resolved.keySet());
        throw new UsageException(
            "unknown key %s%s; known here: %s"
                .formatted(path(key), hint(key, known), String.join(", ", known)));
      }
    }
  }

  /** A number or a fraction such as {@code 8/255}; NaN where it is neither. */
  public static double parse(String text) {
    try {
      int slash = text.indexOf('/');
      return slash < 0
          ? Double.parseDouble(text)
          : Double.parseDouble(text.substring(0, slash))
              / Double.parseDouble(text.substring(slash + 1));
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  private static String plain(double number) {
    return number == Math.rint(number) && Math.abs(number) < 1e9
        ? Long.toString((long) number)
        : Double.toString(number);
  }

  /** {@code "; did you mean X?"} for the nearest name, or nothing where none is near. */
  public static String hint(String found, Iterable<String> known) {
    String best = null;
    int distance = Math.max(2, found.length() / 3) + 1;
    for (String name : known) {
      int d = distance(found.toLowerCase(Locale.ROOT), name.toLowerCase(Locale.ROOT));
      if (d < distance) {
        distance = d;
        best = name;
      }
    }
    return best == null ? "" : "; did you mean " + best + "?";
  }

  /** Levenshtein's distance. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, i -> i);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
