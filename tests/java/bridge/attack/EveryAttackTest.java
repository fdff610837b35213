package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What holds for every line of {@link Attacks}, in every norm that it names: nobody adds an attack
 * here. All are run on linear networks, on which they take little time.
 */
class EveryAttackTest {
  private static final int IMAGES = 5;
  private static final int SIDE = 4;

  /** An attack by name, with few steps where its name has a number. */
  private record Case(Attacks.Entry entry, Norm norm) {
    String name() {
      return entry.form().map(form -> form.replace("N", "20")).orElse(entry.name());
    }

    Attack attack(double share) {
      return Attacks.find(name(), ball(norm, share)).orElseThrow();
    }

    @Override
    public String toString() {
      return name() + " " + norm;
    }
  }

  /** So much of the way from the middle to the farthest image. */
  private static Ball ball(Norm norm, double share) {
    double side =
        switch (norm) {
          case LINF -> 0.5;
          case L2 -> 0.5 * SIDE;
          case L1 -> 0.5 * SIDE * SIDE;
        };
    return new Ball(norm, share * side);
  }

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Stream<Attacks.Entry> entries() {
    return Attacks.all().stream();
  }

  private static Stream<Case> cases() {
    return entries().flatMap(entry -> entry.norms().stream().map(norm -> new Case(entry, norm)));
  }

  /** Its first pixel does not matter, so that no step takes it away from where it started. */
  private static LinearNetwork network(int classes) {
    Generator draws = Samples.noise(1);
    Tensor weight = Tensor.randn(draws, Device.CPU, classes, SIDE * SIDE);
    weight.narrow(1, 0, 1).zero_();
    Tensor bias = Tensor.randn(draws, Device.CPU, classes).mul(0.1);
    LinearNetwork network = new LinearNetwork(weight.requiresGrad_(true), bias.requiresGrad_(true));
    network.train(true);
    return network;
  }

  private static Tensor images() {
    return Samples.random(2, IMAGES, 1, SIDE, SIDE).mul(0.5).add(0.25);
  }

  private static Tensor answers(LinearNetwork network, Tensor images) {
    return network.logits(images).detach().argmax(1);
  }

  private static float[] made(Attack attack, long seed) {
    try (Scope _ = Scope.open("made")) {
      LinearNetwork network = network(6);
      Tensor images = images();
      Tensor labels = answers(network, images);
      return attack.perturb(network, images, labels, Samples.noise(seed)).images().toFloats();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void findsWrongImagesAndNeverLeavesTheBallOrTheRange(Case one) {
    LinearNetwork network = network(6);
    Tensor images = images();
    Tensor labels = answers(network, images);
    Attack attack = one.attack(0.6);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(3)).images();
    Ball ball = ball(one.norm, 0.6);
    double longest = ball.lengths(made.sub(images)).max().item();
    assertTrue(longest <= ball.epsilon() * (1 + 1e-5), () -> "moved by " + longest);
    assertTrue(made.min().item() >= 0 && made.max().item() <= 1);
    assertFalse(made.requiresGrad());
    assertArrayEquals(images.sizes(), made.sizes());
    long right = answers(network, made).eq(labels).sum().itemLong();
    assertTrue(right < IMAGES, () -> right + " are still right");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void leavesTheNetworkTheImagesAndNothingElseBehind(Case one) {
    LinearNetwork network = network(6);
    Tensor images = images();
    Tensor labels = answers(network, images);
    float[] before = images.toFloats();
    Map<String, float[]> weights = new HashMap<>();
    network.parameters().forEach((name, p) -> weights.put(name, p.toFloats()));
    Attack attack = one.attack(0.6);
    Generator noise = Samples.noise(4);
    try (Scope _ = Scope.open("attack")) {
      long alive = Scope.alive();
      attack.perturb(network, images, labels, noise);
      assertEquals(alive + 1, Scope.alive(), "tensors alive; an attack opens a Scope for its own");
    }
    assertArrayEquals(before, images.toFloats());
    assertTrue(network.training());
    network.parameters().forEach((name, p) -> assertNull(p.grad(), name));
    network.parameters().forEach((name, p) -> assertTrue(p.requiresGrad(), name));
    network
        .parameters()
        .forEach((name, p) -> assertArrayEquals(weights.get(name), p.toFloats(), name));
  }

  /** Also what an attack says of itself: whether another seed can give other images. */
  @ParameterizedTest
  @MethodSource("cases")
  void theSeedMakesTheResultWhereItStartsAtRandomAndOnlyThere(Case one) {
    Attack attack = one.attack(0.6);
    float[] made = made(attack, 5);
    assertArrayEquals(made, made(attack, 5));
    assertEquals(attack.randomStart(), !Arrays.equals(made, made(attack, 6)));
  }

  @ParameterizedTest
  @MethodSource("entries")
  void hasAFormInTheNormsOfItsLineAndInNoOther(Attacks.Entry entry) {
    for (Norm norm : Norm.values()) {
      Ball ball = ball(norm, 0.1);
      assertEquals(entry.norms().contains(norm), Attacks.names(norm).contains(entry.name()));
      if (entry.norms().contains(norm)) {
        Attack attack = entry.in(ball);
        assertEquals(
            entry.name(), attack instanceof Restarts r ? r.attack().name() : attack.name());
      } else {
        UsageException e = assertThrows(UsageException.class, () -> entry.in(ball));
        assertTrue(e.getMessage().endsWith(String.join(", ", Attacks.names(norm))), e::getMessage);
      }
    }
  }

  /** Counts how often it is asked, and is right whatever happens: nothing ends early. */
  private static final class Counting extends Altered {
    private int asked;

    Counting(int classes) {
      super(network(classes));
    }

    @Override
    Tensor answer(Tensor images, Tensor logits) {
      asked++;
      return logits;
    }
  }

  private static int asked(Attack attack, int classes) {
    try (Scope _ = Scope.open("asked")) {
      Counting network = new Counting(classes);
      Tensor images = images().narrow(0, 0, 1);
      Tensor labels = network.logits(images).detach().argmax(1);
      network.asked = 0;
      attack.perturb(network, images, labels, Samples.noise(7));
      return network.asked;
    }
  }

  /** In a ball of nothing, so that nothing is found and all is tried. */
  private static Attack still(Attacks.Entry entry) {
    return new Case(entry, entry.norms().getFirst()).attack(0);
  }

  @ParameterizedTest
  @MethodSource("entries")
  void moreClassesAreMoreWorkWhereItHasTargetsAndOnlyThere(Attacks.Entry entry) {
    Attack attack = still(entry);
    assertEquals(attack.targeted(), asked(attack, 7) > asked(attack, 5));
  }

  @ParameterizedTest
  @MethodSource("entries")
  void moreRestartsAreMoreWorkWhereItTakesThemAndOnlyThere(Attacks.Entry entry) {
    Case one = new Case(entry, entry.norms().getFirst());
    Ball still = ball(one.norm, 0);
    String twelve = one.name() + "-r12"; // more than any has by itself
    if (entry.takesRestarts()) {
      Attack often = Attacks.find(twelve, still).orElseThrow();
      assertTrue(asked(often, 5) > asked(one.attack(0), 5));
    } else {
      UsageException e = assertThrows(UsageException.class, () -> Attacks.find(twelve, still));
      assertTrue(e.getMessage().endsWith("leave -r12 out"), e::getMessage);
    }
  }
}
