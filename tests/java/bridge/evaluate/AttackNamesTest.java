package bridge.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.attack.Attack;
import bridge.attack.Attacks;
import bridge.attack.Ball;
import bridge.attack.CarliniWagner;
import bridge.attack.CwInfinity;
import bridge.attack.CwInfinity.Variant;
import bridge.attack.MiFgsm;
import bridge.attack.Norm;
import bridge.attack.Pgd;
import bridge.attack.Restarts;
import bridge.attack.Square;
import bridge.attack.Start;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The names of the command line, and what they mean at 8/255 as in the papers. */
class AttackNamesTest {
  private static final Ball BALL = new Ball(Norm.LINF, 8.0 / 255);
  private static final Ball L2 = new Ball(Norm.L2, 0.5);

  private static Pgd pgd(String name, double stepSize, int steps) {
    return new Pgd(name, BALL, stepSize, steps, Start.UNIFORM, Pgd.NetworkMode.EVAL);
  }

  private static CwInfinity cw(String name, int steps, Variant variant) {
    return new CwInfinity(name, BALL, 2.0 / 255, steps, 50, variant);
  }

  private static Stream<Arguments> meanings() {
    return Stream.of(
        Arguments.of("pgd20", pgd("pgd20", 2.0 / 255, 20)),
        Arguments.of("pgd7", pgd("pgd7", 2.0 / 255, 7)),
        Arguments.of("pgd20-trades", pgd("pgd20-trades", 0.003, 20)),
        Arguments.of("pgd100-r5", new Restarts(pgd("pgd100", 2.0 / 255, 100), 5)),
        Arguments.of("pgd5-trades-r3", new Restarts(pgd("pgd5-trades", 0.003, 5), 3)),
        Arguments.of("mifgsm", new MiFgsm(BALL, 2.0 / 255, 10, 1)),
        Arguments.of("mifgsm5", new MiFgsm(BALL, 2.0 / 255, 5, 1)),
        Arguments.of("cw30", cw("cw30", 30, Variant.IAD)),
        Arguments.of("cw-iad", cw("cw-iad", 30, Variant.IAD)),
        Arguments.of("cw-ciard", cw("cw-ciard", 30, Variant.CIARD)),
        Arguments.of("cw-saad", new Restarts(cw("cw-saad", 50, Variant.SAAD), 10)),
        Arguments.of("cw-saad-r2", new Restarts(cw("cw-saad", 50, Variant.SAAD), 2)),
        Arguments.of("square100-rescaled", new Square("square100-rescaled", BALL, 100, 1, true)),
        Arguments.of("square100-r2", new Square("square100", BALL, 100, 2, false)));
  }

  @ParameterizedTest
  @MethodSource("meanings")
  void namesMeanWhatThePapersDo(String name, Attack expected) {
    assertEquals(expected, AttackNames.named(name, BALL));
  }

  @Test
  void cwL2HasTheAuthorsSettingsAndFewerIterations() {
    assertEquals(new CarliniWagner(L2, 9, 1000, 0.01, 0, 0.001), AttackNames.named("cw-l2", L2));
    assertEquals(
        new CarliniWagner(L2, 9, 10_000, 0.01, 0, 0.001), AttackNames.named("cw-l2-10000", L2));
  }

  @Test
  void everyNameIsAnAttackOfItsName() {
    for (Attacks.Entry entry : Attacks.all()) {
      Ball ball = new Ball(entry.norms().getFirst(), 0.5);
      Attack attack = AttackNames.named(entry.name(), ball);
      String called = attack instanceof Restarts again ? again.attack().name() : attack.name();
      assertEquals(entry.name(), called);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "pdg20, pgd20",
    "FGSM, fgsm",
    "cleen, clean",
    "pgd20_trades, pgd20-trades",
    "autoatack, autoattack"
  })
  void aWrongNameGetsTheNearest(String wrong, String near) {
    UsageException e =
        assertThrows(
            UsageException.class, () -> AttackNames.check(List.of("clean", wrong), BALL, 1, false));
    assertEquals(
        "unknown attack %s; did you mean %s?; known: %s; with numbers: %s"
            .formatted(
                wrong,
                near,
                String.join(", ", AttackNames.names()),
                String.join(", ", AttackNames.forms())),
        e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "pgd0",
        "pgd",
        "pgd20-",
        "cw30-trades",
        "pgd-20",
        "pgd200000",
        "pgd20-r0",
        "pgd20-r",
        "pgd20-r2-r3",
        "square10-trades",
        "transfer2",
        "cw-l2-",
        "-r5",
        "clean-r2",
        "fgsm-r2",
        "mifgsm-r2",
        "cw-ciard-r2",
        "transfer-",
        "transfer-clean",
        "transfer-transfer"
      })
  void whatIsNoNameIsRefusedInOneLine(String name) {
    UsageException e =
        assertThrows(UsageException.class, () -> AttackNames.check(List.of(name), L2, 1, true));
    assertEquals(1, e.getMessage().lines().count(), e::getMessage);
  }

  @Test
  void noNameIsRefused() {
    assertThrows(UsageException.class, () -> AttackNames.check(List.of(), BALL, 1, false));
    UsageException e = assertThrows(UsageException.class, () -> AttackNames.named("clean", BALL));
    assertEquals("clean is no attack: it leaves the images as they are", e.getMessage());
  }

  @Test
  void restartsGoToWhatStartsAtRandomAndSaysNothingOfThem() {
    List<Trial> all =
        AttackNames.parse(
            List.of("clean", "fgsm", "pgd20", "pgd20-r3", "cw-saad", "cw-ciard", "transfer-cw30"),
            BALL,
            4,
            true);
    assertEquals(
        List.of("clean", "fgsm", "pgd20-r4", "pgd20-r3", "cw-saad", "cw-ciard", "transfer-cw30-r4"),
        all.stream().map(Trial::name).toList());
    assertEquals(
        new Restarts(pgd("pgd20", 2.0 / 255, 20), 4), ((Trial.Attacked) all.get(2)).attack());
    assertEquals(
        new Restarts(pgd("pgd20", 2.0 / 255, 20), 3), ((Trial.Attacked) all.get(3)).attack());
    assertEquals(
        new Restarts(cw("cw30", 30, Variant.IAD), 4), ((Trial.Transferred) all.get(6)).attack());
  }

  @Test
  void transferNeedsASurrogate() {
    assertEquals(
        List.of(new Trial.Transferred("transfer", pgd("pgd20-trades", 0.003, 20))),
        AttackNames.parse(List.of("transfer"), BALL, 1, true));
    UsageException e =
        assertThrows(
            UsageException.class,
            () -> AttackNames.check(List.of("transfer-cw30"), BALL, 1, false));
    assertTrue(e.getMessage().endsWith("name one with --surrogate MODEL"), e::getMessage);
  }

  private static Stream<String> notInL1() {
    Stream<String> registered =
        Attacks.all().stream()
            .map(Attacks.Entry::name)
            .filter(name -> !Attacks.names(Norm.L1).contains(name));
    return Stream.concat(
        registered, Stream.of("pgd7-trades", "pgd20-r5", "transfer", "transfer-fgsm"));
  }

  @ParameterizedTest
  @MethodSource("notInL1")
  void whatHasNoFormInL1IsRefusedInOneLine(String name) {
    Ball ball = new Ball(Norm.L1, 12);
    UsageException e =
        assertThrows(
            UsageException.class, () -> AttackNames.check(List.of("clean", name), ball, 1, true));
    assertTrue(e.getMessage().contains("norm l"), e::getMessage);
    assertTrue(e.getMessage().contains("fab-t"), e::getMessage);
    assertEquals(1, e.getMessage().lines().count(), e::getMessage);
  }

  @Test
  void whatTheRegistryHasInL1CanBeNamed() {
    List<String> names = new ArrayList<>(Attacks.names(Norm.L1));
    assertTrue(names.contains("autoattack") && !names.contains("pgd20"), names::toString);
    names.addAll(List.of("clean", "apgd-ce-r5", "square100-rescaled", "transfer-apgd-ce"));
    List<Trial> all = AttackNames.parse(names, new Ball(Norm.L1, 12), 1, true);
    assertEquals(names, all.stream().map(Trial::name).toList());
  }

  @Test
  void cwL2NeedsItsNorm() {
    UsageException e =
        assertThrows(
            UsageException.class, () -> AttackNames.check(List.of("cw-l2"), BALL, 1, false));
    assertTrue(e.getMessage().contains("choose norm l2"), e::getMessage);
  }
}
