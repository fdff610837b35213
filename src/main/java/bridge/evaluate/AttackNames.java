package bridge.evaluate;

import bridge.Options;
import bridge.UsageException;
import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.attack.Fgsm;
import bridge.attack.Pgd;
import bridge.attack.Start;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * The evaluation attacks by the names of the command line.
 *
 * <p>Step sizes are the papers' at ε = 8/255, scaled with ε: {@code pgd20} takes steps of ε/4
 * (2/255, the SAT script), {@code pgd20-trades} steps of 0.003 · ε / (8/255).
 */
public final class AttackNames {
  /** Not an attack: the images as they are. */
  static final String CLEAN = "clean";

  static final NamedAttack NONE = new NamedAttack(CLEAN, null);

  private static final Map<String, Function<Ball, Attack>> ALL = new LinkedHashMap<>();

  static {
    ALL.put(CLEAN, ball -> null);
    ALL.put("fgsm", Fgsm::new);
    ALL.put("pgd20", ball -> pgd("pgd20", ball, ball.epsilon() / 4, 20));
    ALL.put(
        "pgd20-trades",
        ball -> pgd("pgd20-trades", ball, 0.003 * ball.epsilon() / (8.0 / 255), 20));
  }

  private AttackNames() {}

  private static Attack pgd(String name, Ball ball, double stepSize, int steps) {
    return new Pgd(name, ball, stepSize, steps, Start.UNIFORM, Pgd.NetworkMode.EVAL);
  }

  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /**
   * The attacks of a list of names; {@code clean} gives none.
   *
   * @throws UsageException for an unknown name
   */
  static List<NamedAttack> parse(List<String> names, Ball ball) {
    List<NamedAttack> attacks = new ArrayList<>();
    for (String name : names) {
      Function<Ball, Attack> maker = ALL.get(name);
      if (maker == null) {
        throw new UsageException(
            "unknown attack %s%s; known: %s"
                .formatted(name, Options.hint(name, ALL.keySet()), String.join(", ", names())));
      }
      attacks.add(new NamedAttack(name, maker.apply(ball)));
    }
    if (attacks.isEmpty()) {
      throw new UsageException("no attacks named; known: " + String.join(", ", names()));
    }
    return attacks;
  }

  /** Clean, and PGD with this many steps of ε/4 from a uniform start. */
  static List<NamedAttack> validation(int steps, Ball ball) {
    return List.of(
        NONE, new NamedAttack("pgd" + steps, pgd("pgd" + steps, ball, ball.epsilon() / 4, steps)));
  }

  /** Checks names without making anything. */
  public static void check(List<String> names) {
    parse(names, new Ball(bridge.attack.Norm.LINF, 0));
  }

  /**
   * @param attack null for the clean images
   */
  record NamedAttack(String name, Attack attack) {}
}
