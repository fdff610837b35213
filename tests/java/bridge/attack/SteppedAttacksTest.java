package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.model.Network;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Attacks that are made of steps, few of them, on networks with batch normalisation; {@link
 * AutoAttackTest} has the others, {@link EveryAttackTest} what holds for all. These have no form in
 * L1.
 */
class SteppedAttacksTest {
  private static final int SIZE = 12;

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static List<Attack> attacks(Ball ball) {
    double step = ball.epsilon() / 3;
    Attack pgd = new Pgd("pgd", ball, step, 4, Start.UNIFORM, Pgd.NetworkMode.EVAL);
    List<Attack> all =
        new ArrayList<>(
            List.of(
                new Fgsm(ball), pgd, new Restarts(pgd, 3), new MiFgsm(ball, step, 4, 0.9), pgd));
    for (CwInfinity.Variant variant : CwInfinity.Variant.values()) {
      all.add(new CwInfinity("cw-" + variant, ball, step, 4, 50, variant));
    }
    if (ball.norm() == Norm.L2) {
      all.add(new CarliniWagner(ball, 3, 10, 0.05, 0, 1));
    }
    return all;
  }

  private static Stream<Attack> all() {
    return Stream.of(new Ball(Norm.LINF, 0.07), new Ball(Norm.L2, 0.9))
        .flatMap(ball -> attacks(ball).stream());
  }

  private static Ball ball(Attack attack) {
    return switch (attack) {
      case Fgsm a -> a.ball();
      case Pgd a -> a.ball();
      case Restarts a -> ball(a.attack());
      case MiFgsm a -> a.ball();
      case CwInfinity a -> a.ball();
      case CarliniWagner a -> a.ball();
      default -> throw new AssertionError(attack);
    };
  }

  private static Tensor labels(int count) {
    long[] labels = new long[count];
    Arrays.setAll(labels, i -> i % 10);
    return Tensor.of(labels, count);
  }

  @Test
  void whatHasNoFormInL1SaysSo() {
    Ball ball = new Ball(Norm.L1, 12);
    List<Runnable> makers =
        new ArrayList<>(
            List.of(
                () -> new Fgsm(ball),
                () -> new Pgd("pgd20", ball, 1, 20, Start.UNIFORM, Pgd.NetworkMode.EVAL),
                () -> new MiFgsm(ball, 1, 10, 1),
                () -> CarliniWagner.of(ball, 10)));
    for (CwInfinity.Variant variant : CwInfinity.Variant.values()) {
      makers.add(() -> new CwInfinity("cw30", ball, 1, 30, 50, variant));
    }
    for (Runnable maker : makers) {
      UsageException e = assertThrows(UsageException.class, maker::run);
      assertTrue(
          e.getMessage().matches("(?i)(fgsm|pgd20|mifgsm|cw-l2|cw30) .*l1.*"), e::getMessage);
      assertEquals(1, e.getMessage().lines().count());
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void ballAndRangeAreNeverLeft(Attack attack) {
    long seed = System.nanoTime();
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(seed, 6, 1, SIZE, SIZE);
    Tensor made = attack.perturb(network, images, labels(6), Samples.noise(seed)).images();
    Ball ball = ball(attack);
    Tensor delta = made.sub(images);
    Tensor sizes = ball.norm() == Norm.LINF ? delta.abs() : delta.norm2Keep(1, 2, 3);
    double change = sizes.max().item();
    assertTrue(change <= ball.epsilon() + 1e-6, () -> change + ", seed " + seed);
    assertTrue(change > 0, () -> "nothing moved, seed " + seed);
    assertTrue(made.min().item() >= 0 && made.max().item() <= 1, () -> "seed " + seed);
    assertFalse(made.requiresGrad());
  }

  private static Stream<Attack> still() {
    return Stream.of(new Ball(Norm.LINF, 0), new Ball(Norm.L2, 0))
        .flatMap(ball -> attacks(ball).stream());
  }

  @ParameterizedTest
  @MethodSource("still")
  void epsilonZeroGivesTheImage(Attack attack) {
    Tensor images = Samples.random(5, 4, 1, SIZE, SIZE);
    Tensor made = attack.perturb(Samples.fresh(SIZE), images, labels(4), Samples.noise(6)).images();
    assertArrayEquals(images.toFloats(), made.toFloats());
  }

  @ParameterizedTest
  @MethodSource("all")
  void theSeedAloneMakesTheResultAndNothingElseChanges(Attack attack) {
    Network network = Samples.fresh(SIZE);
    network.train(true);
    double[] statistics = network.buffers().values().iterator().next().toDoubles();
    Tensor images = Samples.random(11, 6, 1, SIZE, SIZE);
    float[] before = images.toFloats();
    float[] one = attack.perturb(network, images, labels(6), Samples.noise(12)).images().toFloats();
    float[] again =
        attack.perturb(network, images, labels(6), Samples.noise(12)).images().toFloats();
    assertArrayEquals(one, again);
    assertArrayEquals(before, images.toFloats());
    assertTrue(network.training());
    assertArrayEquals(statistics, network.buffers().values().iterator().next().toDoubles());
    network.parameters().forEach((name, p) -> assertNull(p.grad(), name));
  }

  @ParameterizedTest
  @MethodSource("all")
  void theResultAloneIsLeft(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(22, 4, 1, SIZE, SIZE);
    Tensor labels = labels(4);
    try (Scope _ = Scope.open("attacks")) {
      var noise = Samples.noise(23);
      long before = Scope.alive();
      attack.perturb(network, images, labels, noise);
      assertEquals(before + 1, Scope.alive());
    }
  }

  /** On a trained network each of them finds what a random change does not. */
  @ParameterizedTest
  @MethodSource("all")
  void aTrainedNetworkIsWrongMoreOften(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(30);
    long clean = right(teacher, sample.images(), sample);
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(24)).images();
    assertTrue(right(teacher, made, sample) < clean - 5, attack::name);
  }

  private static long right(Network network, Tensor images, Samples.Labelled sample) {
    return network.logits(images).argmax(1).eq(sample.labels()).sum().itemLong();
  }
}
