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
              entry("ada-ad", AdaAd::new),
              entry("ada-iad", AdaIad::new),
              entry("ard", Ard::new),
              entry("b-mtard", BMtard::new),
              entry("ca-mkd", CaMkd::new),
              entry("crd", Crd::new),
              entry("drkd", Drkd::new),
              entry("fitnets", FitNets::new),
              entry("iad", Iad::create),
              entry("kd", Kd::new),
              entry("kd-swa", KdSwa::new),
              entry("mart", Mart::new),
              entry("mtard", Mtard::new),
              entry("peer-aid", PeerAid::new),
              entry("pgd-at", PgdAt::new),
              entry("rslad", Rslad::new),
              entry("sa-mdrad", SaMdrad::new),
              entry("standard", Standard::new),
              entry("trades", Trades::new),
              entry("vfd-adv", VfdAdv::new)));

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

  /**
   * The teacher of a method that learns from one.
   *
   * @throws UsageException if there is none, more than one, or a peer
   */
  static Setting.Teacher onlyTeacher(String method, Setting setting) {
    List<Setting.Teacher> teachers = setting.teachers();
    if (teachers.size() != 1) {
      throw new UsageException(
          "method %s needs exactly one teacher, found %d; name one in the recipe's teachers"
              .formatted(method, teachers.size()));
    }
    return someTeachers(method, setting).get(0);
  }

  /**
   * The teachers of a method that learns from any number of them.
   *
   * @throws UsageException if there is none, or a peer among them
   */
  static List<Setting.Teacher> someTeachers(String method, Setting setting) {
    if (setting.teachers().isEmpty()) {
      throw new UsageException(
          "method %s needs at least one teacher; add teachers to the recipe".formatted(method));
    }
    for (Setting.Teacher teacher : setting.teachers()) {
      if (teacher.role() == Setting.Role.PEER) {
        throw new UsageException(
            "method %s needs teachers that are finished, found %s of role PEER; remove the role"
                .formatted(method, teacher.name()));
      }
    }
    return setting.teachers();
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
