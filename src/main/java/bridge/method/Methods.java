package bridge.method;

import bridge.Options;
import bridge.UsageException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;

/** The methods by name. A new one takes its class and its line here. */
public final class Methods {
  private static final Map<String, BiFunction<Options, Setting, Method>> ALL =
      new TreeMap<>(
          Map.ofEntries(
              entry("pgd-at", PgdAt::new),
              entry("sa-mdrad", SaMdrad::new),
              entry("standard", Standard::new)));

  private Methods() {}

  private static Map.Entry<String, BiFunction<Options, Setting, Method>> entry(
      String name, BiFunction<Options, Setting, Method> maker) {
    return Map.entry(name, maker);
  }

  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /**
   * Makes the method that {@code options} name, with the rest of them.
   *
   * @throws UsageException for an unknown name, or options or teachers that do not fit
   */
  public static Method create(Options options, Setting setting) {
    String name = options.text("name", null);
    BiFunction<Options, Setting, Method> maker = ALL.get(name);
    if (maker == null) {
      throw new UsageException(
          "unknown method %s%s; known: %s"
              .formatted(name, Options.hint(name, ALL.keySet()), String.join(", ", names())));
    }
    Method method = maker.apply(options, setting);
    options.done();
    return method;
  }

  /** For methods that learn from labels alone. */
  static void refuseTeachers(String method, Setting setting) {
    if (!setting.teachers().isEmpty()) {
      throw new UsageException(
          "method %s uses no teachers, found %d; remove them from the recipe"
              .formatted(method, setting.teachers().size()));
    }
  }
}
