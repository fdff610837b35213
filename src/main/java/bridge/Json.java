package bridge;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;

/**
 * How the program writes JSON: the same in every file and in what {@code --json} prints.
 *
 * <p>What is written is a record whose components are the keys, in their order; a component that is
 * null has no key, and one whose key is no Java name says it with {@code @SerializedName}.
 */
public final class Json {
  /** Pretty, no character escaped for HTML, numbers that are not finite as JavaScript has them. */
  public static final Gson GSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeSpecialFloatingPointValues()
          .create();

  private static final Gson WITH_NULLS = GSON.newBuilder().serializeNulls().create();

  private Json() {}

  /** On lines with indents, no newline at the end. */
  public static String write(Object value) {
    return GSON.toJson(value);
  }

  /** As {@link #write}, but what is null has its key too. */
  public static String writeWithNulls(Object value) {
    return WITH_NULLS.toJson(value);
  }

  /** All on one line. */
  public static String line(Object value) {
    return GSON.toJsonTree(value).toString();
  }

  /** What is wrong with text that is no JSON, on one line, without the parser's own advice. */
  public static String fault(Exception malformed) {
    return String.valueOf(malformed.getMessage())
        .lines()
        .findFirst()
        .orElse("")
        .replaceFirst("^\\S*(?:Exception|Error): ", "")
        .replaceFirst("^Use JsonReader.* to accept |^Not a JSON Object: ", "");
  }

  /**
   * An object to be added to.
   *
   * @throws IllegalStateException if JSON has a list, a text or a number for such a value
   */
  public static JsonObject tree(Object value) {
    return GSON.toJsonTree(value).getAsJsonObject();
  }
}
