package bridge.attack;

import bridge.UsageException;
import bridge.attack.CwInfinity.Variant;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The registry: every attack that has a name, a line each. Help texts, messages and the tests of
 * every attack are derived from these lines and from what the attacks say of themselves.
 *
 * <p>Step sizes are the papers' at ε = 8/255, scaled with ε: {@code pgd20} takes steps of ε/4
 * (2/255, the SAT script), {@code pgd20-trades} steps of 0.003 · ε / (8/255), CW∞ and MI-FGSM steps
 * of ε/4. {@code square100-rescaled} is CIARD's script, and MTARD's paper but for the schedule.
 * {@code apgd-ce} alone has one restart in L1, as everywhere, where AutoAttack's has five.
 */
public final class Attacks {
  private static final List<Norm> ANY = List.of(Norm.values());
  private static final List<Norm> NOT_L1 = List.of(Norm.LINF, Norm.L2);
  private static final List<Norm> L2 = List.of(Norm.L2);

  private static final List<Entry> ALL =
      List.of(
          new Entry("fgsm", NOT_L1, "one step of ε", (name, ball) -> new Fgsm(ball)),
          new Entry("pgd20", "pgdN", 20, NOT_L1, "PGD, N steps of ε/4", Attacks::pgd),
          new Entry(
              "pgd20-trades", "pgdN-trades", 20, NOT_L1, "PGD, TRADES's steps", Attacks::trades),
          new Entry("mifgsm", "mifgsmN", 10, NOT_L1, "momentum, N steps of ε/4", Attacks::mifgsm),
          new Entry("cw30", "cwN", 30, NOT_L1, "CW∞, N steps of ε/4", Attacks::cwInfinity),
          new Entry("cw-iad", NOT_L1, "CW∞ of IAD's script", cw(30, Variant.IAD)),
          new Entry("cw-ciard", NOT_L1, "CW∞ of CIARD's script", cw(30, Variant.CIARD)),
          new Entry("cw-saad", NOT_L1, "CW∞ of SAAD's, the worst of 10", Attacks::saad),
          new Entry("cw-l2", "cw-l2-N", 1000, L2, "C&W L2, N iterations", Attacks::cwL2),
          new Entry("apgd-ce", ANY, "APGD, cross-entropy", (name, ball) -> Apgd.crossEntropy(ball)),
          new Entry("apgd-dlr", ANY, "APGD, DLR loss", (name, ball) -> Apgd.dlr(ball)),
          new Entry("apgd-t", ANY, "APGD, targeted DLR loss", (name, ball) -> Apgd.targeted(ball)),
          new Entry("fab", ANY, "FAB, untargeted", (name, ball) -> Fab.untargeted(ball)),
          new Entry("fab-t", ANY, "FAB, targeted", (name, ball) -> Fab.targeted(ball)),
          new Entry("square", "squareN", 5000, ANY, "Square, N queries", Attacks::square),
          new Entry(
              "square100-rescaled",
              "squareN-rescaled",
              100,
              ANY,
              "Square, its schedule in N queries",
              Attacks::rescaled),
          new Entry("autoattack", ANY, "as RobustBench", auto(AutoAttack.Version.STANDARD)),
          new Entry("autoattack-plus", ANY, "six attacks", auto(AutoAttack.Version.PLUS)),
          new Entry("autoattack-rand", ANY, "for random networks", auto(AutoAttack.Version.RAND)));

  private static final Pattern RESTARTS = Pattern.compile("(.+)-r(\\d{1,4})");

  private Attacks() {}

  /** Makes an attack. */
  @FunctionalInterface
  interface Maker {
    Attack make(String name, Ball ball);
  }

  /** Makes an attack in whose name a number may stand. */
  @FunctionalInterface
  interface NumberedMaker {
    Attack make(String name, Ball ball, int number);
  }

  /**
   * A line of the registry.
   *
   * @param name on the command line
   * @param form the name with N for a number of one's own, {@code pgdN}; empty where there is none
   * @param number what N is in {@code name}
   * @param norms in which it has a published form
   * @param summary what it is, in a few words
   */
  public record Entry(
      String name,
      Optional<String> form,
      int number,
      List<Norm> norms,
      String summary,
      NumberedMaker maker) {
    private Entry(String name, List<Norm> norms, String summary, Maker maker) {
      this(name, Optional.empty(), 0, norms, summary, (n, ball, number) -> maker.make(n, ball));
    }

    private Entry(
        String name,
        String form,
        int number,
        List<Norm> norms,
        String summary,
        NumberedMaker maker) {
      this(name, Optional.of(form), number, norms, summary, maker);
    }

    /**
     * The attack with its usual number.
     *
     * @throws UsageException if it has no form in the ball's norm
     */
    public Attack in(Ball ball) {
      return maker.make(name, ball, number);
    }

    /** Whether restarts find more: {@link Attack#withRestarts}. */
    public boolean takesRestarts() {
      return in(new Ball(norms.getFirst(), 0)).withRestarts(2).isPresent();
    }

    private Optional<Attack> find(String text, Ball ball) {
      if (text.equals(name)) {
        return Optional.of(in(ball));
      }
      return form.map(f -> Pattern.compile(f.replace("N", "([1-9]\\d{0,4})")).matcher(text))
          .filter(Matcher::matches)
          .map(found -> maker.make(text, ball, Integer.parseInt(found.group(1))));
    }
  }

  /** All lines. */
  public static List<Entry> all() {
    return ALL;
  }

  /** The names of the attacks that have a form in this norm. */
  public static List<String> names(Norm norm) {
    return ALL.stream().filter(entry -> entry.norms.contains(norm)).map(Entry::name).toList();
  }

  /**
   * An attack by its name: one of the registry, with a number of one's own where it has a form with
   * N, and with {@code -r5} at the end for the worst of five restarts.
   *
   * @return empty for an unknown name
   * @throws UsageException if it has no form in the ball's norm, or no restarts
   */
  public static Optional<Attack> find(String name, Ball ball) {
    Optional<Attack> known =
        ALL.stream().flatMap(entry -> entry.find(name, ball).stream()).findFirst();
    Matcher restarts = RESTARTS.matcher(name);
    if (known.isPresent() || !restarts.matches() || RESTARTS.matcher(restarts.group(1)).matches()) {
      return known;
    }
    int times = Integer.parseInt(restarts.group(2));
    return find(restarts.group(1), ball).map(attack -> restarted(name, attack, times));
  }

  private static Attack restarted(String name, Attack attack, int times) {
    return attack
        .withRestarts(times)
        .orElseThrow(
            () ->
                new UsageException(
                    "%s: %s has no random start to begin again from; leave -r%d out"
                        .formatted(name, attack.name(), times)));
  }

  private static Attack pgd(String name, Ball ball, int steps) {
    double stepSize = ball.epsilon() / 4;
    return new Pgd(name, ball, stepSize, steps, Start.UNIFORM, Pgd.NetworkMode.EVAL);
  }

  private static Attack trades(String name, Ball ball, int steps) {
    double stepSize = 0.003 * ball.epsilon() / (8.0 / 255);
    return new Pgd(name, ball, stepSize, steps, Start.UNIFORM, Pgd.NetworkMode.EVAL);
  }

  private static Attack mifgsm(String name, Ball ball, int steps) {
    return new MiFgsm(ball, ball.epsilon() / 4, steps, 1);
  }

  private static Attack cwInfinity(String name, Ball ball, int steps) {
    return cw(steps, Variant.IAD).make(name, ball);
  }

  private static Maker cw(int steps, Variant variant) {
    return (name, ball) -> new CwInfinity(name, ball, ball.epsilon() / 4, steps, 50, variant);
  }

  private static Attack saad(String name, Ball ball) {
    return new Restarts(cw(50, Variant.SAAD).make(name, ball), 10);
  }

  private static Attack cwL2(String name, Ball ball, int iterations) {
    return CarliniWagner.of(ball, iterations);
  }

  private static Attack square(String name, Ball ball, int queries) {
    return new Square(name, ball, queries, 1, false);
  }

  private static Attack rescaled(String name, Ball ball, int queries) {
    return new Square(name, ball, queries, 1, true);
  }

  private static Maker auto(AutoAttack.Version version) {
    return (name, ball) -> new AutoAttack(version, ball);
  }
}
