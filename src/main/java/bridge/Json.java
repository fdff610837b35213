package bridge;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;

/** How the program writes JSON: records, serialised as their components stand. */
public final class Json {
  /** Indented; characters as they are; infinities and NaN allowed; components of null left out. */
  public static final Gson GSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeSpecialFloatingPointValues()
          .create();

  private Json() {}

  /** The text of a value. */
  public static String write(Object value) {
    return GSON.toJson(value);
  }

  /** A record as an object, to which more may be added. */
  public static JsonObject tree(Object value) {
    return GSON.toJsonTree(value).getAsJsonObject();
  }
}
