package bridge.method;

import bridge.Options;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;

/** Methods made from their options and what they work with, as a run makes them. */
public final class TestMethods {
  private TestMethods() {}

  /**
   * @param options with the method's name
   */
  public static Method of(Options options, MethodContext context) {
    return Methods.read(options, context.teachers().stream().map(Teacher::role).toList())
        .over(context);
  }

  public static Method of(JsonObject options, MethodContext context) {
    return of(new Options("method", options), context);
  }

  /** From JSON, whose quotes may be single ones. */
  public static Method of(String json, MethodContext context) {
    return of(JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject(), context);
  }
}
