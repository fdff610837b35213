package bridge.evaluate;

import bridge.Options;
import bridge.UsageException;
import bridge.attack.Attack;
import bridge.attack.Attacks;
import bridge.attack.Ball;
import bridge.attack.Restarts;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the command line and recipes call the trials of an evaluation: {@code clean}, the names of
 * {@link Attacks}, and {@code transfer-NAME} for images that are made against a surrogate; {@code
 * transfer} alone is {@code transfer-pgd20-trades}, as in MTARD.
 */
public final class AttackNames {
  private static final String CLEAN = Trial.Clean.NAME;
  private static final String TRANSFER = "transfer";
  private static final String MTARD_TRANSFER = "pgd20-trades";

  private AttackNames() {}

  /** The names without numbers of one's own, and {@code transfer}, which needs a surrogate. */
  public static List<String> names() {
    List<String> names = new ArrayList<>(List.of(CLEAN));
    Attacks.all().forEach(entry -> names.add(entry.name()));
    names.add(TRANSFER);
    return names;
  }

  /** Names with numbers or other names in them. */
  static List<String> forms() {
    List<String> forms = new ArrayList<>();
    Attacks.all().forEach(entry -> entry.form().ifPresent(forms::add));
    forms.add("NAME-rN");
    forms.add(TRANSFER + "-NAME");
    return forms;
  }

  /**
   * An attack by its name.
   *
   * @throws UsageException for a name that is unknown, or no attack against the network itself
   */
  public static Attack named(String name, Ball ball) {
    if (name.equals(CLEAN)) {
      throw new UsageException(name + " is no attack: it leaves the images as they are");
    }
    return Attacks.find(name, ball)
        .orElseThrow(
            () ->
                new UsageException(
                    "unknown attack %s%s; known: %s"
                        .formatted(name, Options.hint(name, names()), known())));
  }

  private static String known() {
    return String.join(", ", names()) + "; with numbers: " + String.join(", ", forms());
  }

  /**
   * The trials of a list of names.
   *
   * @param restarts of each attack that starts at random and whose name says nothing of them
   * @param surrogate whether there is one
   * @throws UsageException for an unknown name
   */
  static List<Trial> parse(List<String> names, Ball ball, int restarts, boolean surrogate) {
    if (names.isEmpty()) {
      throw new UsageException("no attacks named; known: " + known());
    }
    return names.stream().map(name -> trial(name, ball, restarts, surrogate)).toList();
  }

  private static Trial trial(String name, Ball ball, int restarts, boolean surrogate) {
    if (name.equals(CLEAN)) {
      return new Trial.Clean();
    }
    boolean transferred = name.equals(TRANSFER) || name.startsWith(TRANSFER + "-");
    if (transferred && !surrogate) {
      throw new UsageException(
          "attack %s needs a surrogate to make its images against; name one with --surrogate MODEL"
              .formatted(name));
    }
    String attackName =
        transferred ? name.substring(TRANSFER.length()).replaceFirst("-", "") : name;
    Attack single = named(name.equals(TRANSFER) ? MTARD_TRANSFER : attackName, ball);
    Optional<Attack> restarted =
        restarts == 1 || single instanceof Restarts
            ? Optional.empty()
            : single.withRestarts(restarts);
    String fullName = restarted.isPresent() ? name + "-r" + restarts : name;
    Attack attack = restarted.orElse(single);
    return transferred ? new Trial.Transferred(fullName, attack) : Trial.of(fullName, attack);
  }

  /** Clean, and PGD with this many steps of ε/4 from a uniform start. */
  static List<Trial> validation(int steps, Ball ball) {
    String name = "pgd" + steps;
    return List.of(new Trial.Clean(), Trial.of(name, named(name, ball)));
  }

  /**
   * Checks names without making anything.
   *
   * @throws UsageException for a name that is unknown or asks for what is not there
   */
  public static void check(List<String> names, Ball ball, int restarts, boolean surrogate) {
    parse(names, ball, restarts, surrogate);
  }
}
