package bridge.method;

import static bridge.method.parts.Teachers.CLEAN_AND_ADVERSARIAL;
import static bridge.method.parts.Teachers.NONE;
import static bridge.method.parts.Teachers.ONE;
import static bridge.method.parts.Teachers.PEER;
import static bridge.method.parts.Teachers.SOME;

import bridge.Options;
import bridge.UsageException;
import bridge.method.parts.Teacher;
import bridge.method.parts.Teachers;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/** The methods by name, with the teachers each needs. A new one takes its class and its line. */
public final class Methods {
  private static final Map<String, Entry<?>> ALL =
      new TreeMap<>(
          Map.ofEntries(
              entry("ada-ad", ONE, AdaAd.Settings::from),
              entry("ada-iad", ONE, AdaIad.Settings::from),
              entry("alp", NONE, Alp.Settings::from),
              entry("ard", ONE, Ard.Settings::from),
              entry("b-mtard", CLEAN_AND_ADVERSARIAL, BMtard.Settings::from),
              entry("ca-mkd", SOME, CaMkd.Settings::from),
              entry("crd", ONE, Crd.Settings::from),
              entry("drkd", ONE, Drkd::from),
              entry("fitnets", ONE, FitNets.Settings::from),
              entry("iad", Iad.Settings::teachers, Iad.Settings::from),
              entry("kd", ONE, Kd.Settings::from),
              entry("kd-swa", CLEAN_AND_ADVERSARIAL, KdSwa.Settings::from),
              entry("mart", NONE, Mart.Settings::from),
              entry("mtard", CLEAN_AND_ADVERSARIAL, Mtard.Settings::from),
              entry("peer-aid", PEER, PeerAid.Settings::from),
              entry("pgd-at", NONE, PgdAt.Settings::from),
              entry("rslad", ONE, Rslad.Settings::from),
              entry("sa-mdrad", SOME, SaMdradSettings::from),
              entry("standard", NONE, Standard.Settings::from),
              entry("trades", NONE, Trades.Settings::from),
              entry("vfd-adv", ONE, VfdAdv.Settings::from)));

  private record Entry<S extends MethodSettings>(
      Function<S, Teachers> teachers, Function<Options, S> reader) {

    private MethodSettings read(String name, Options options, List<Teacher.Role> roles) {
      S settings = reader.apply(options);
      options.done();
      teachers.apply(settings).check(name, roles);
      return settings;
    }
  }

  private Methods() {}

  private static <S extends MethodSettings> Map.Entry<String, Entry<?>> entry(
      String name, Teachers teachers, Function<Options, S> reader) {
    return entry(name, _ -> teachers, reader);
  }

  /** A method whose teachers depend on its settings. */
  private static <S extends MethodSettings> Map.Entry<String, Entry<?>> entry(
      String name, Function<S, Teachers> teachers, Function<Options, S> reader) {
    return Map.entry(name, new Entry<>(teachers, reader));
  }

  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /**
   * The settings of the method that {@code options} name, read from the rest of them.
   *
   * @param roles of the recipe's teachers, in their order
   * @throws UsageException for an unknown name, or options or teachers that do not fit
   */
  public static MethodSettings read(Options options, List<Teacher.Role> roles) {
    String name = options.text("name", null);
    Entry<?> entry = ALL.get(name);
    if (entry == null) {
      throw new UsageException(
          "unknown method %s%s; known: %s"
              .formatted(name, Options.hint(name, ALL.keySet()), String.join(", ", names())));
    }
    return entry.read(name, options, roles);
  }
}
