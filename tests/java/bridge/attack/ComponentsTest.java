package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every component of AutoAttack, and for all of them together. */
class ComponentsTest extends ShortAttacksTest {
  private static Stream<Attack> attacks() {
    return Stream.of(Norm.values())
        .flatMap(
            norm ->
                Stream.concat(
                    shortened(ball(norm)).stream(), Stream.of(new Chain(shortened(ball(norm))))));
  }

  private static Ball ballOf(Attack attack) {
    return switch (attack) {
      case Apgd a -> a.ball();
      case Fab a -> a.ball();
      case Square a -> a.ball();
      case Chain a -> ballOf(a.components().getFirst());
      default -> throw new AssertionError(attack);
    };
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void ballAndRangeAreNeverLeftAndOnlyWrongImagesChange(Attack attack) {
    long seed = System.nanoTime();
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(seed, 8, 1, SIZE, SIZE);
    Tensor labels = answers(network, images);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(seed)).images();
    Ball ball = ballOf(attack);
    double longest = ball.lengths(made.sub(images)).max().item();
    assertTrue(longest <= ball.epsilon() * (1 + 1e-5), () -> longest + ", seed " + seed);
    assertTrue(made.min().item() >= 0 && made.max().item() <= 1, () -> "seed " + seed);
    assertFalse(made.requiresGrad());
    double[] wrong = answers(network, made).ne(labels).to(DType.FLOAT32).toDoubles();
    double[] moved = ball.lengths(made.sub(images)).toDoubles();
    for (int i = 0; i < wrong.length; i++) {
      assertEquals(wrong[i] != 0, moved[i] != 0, "image %d, seed %d".formatted(i, seed));
    }
  }

  private static Stream<Attack> still() {
    return Stream.of(Norm.values()).flatMap(norm -> shortened(new Ball(norm, 0)).stream());
  }

  @ParameterizedTest
  @MethodSource("still")
  void epsilonZeroGivesTheImages(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(6);
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(1)).images();
    assertArrayEquals(sample.images().toFloats(), made.toFloats());
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void imagesThatAreWrongAlreadyStay(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(2, 5, 1, SIZE, SIZE);
    Tensor labels = answers(network, images).add(1);
    Tensor nine = labels.clamp(0, 9);
    labels = labels.eq(10).where(labels.zerosLike(), nine);
    Tensor made = attack.perturb(network, images, labels, Samples.noise(3)).images();
    assertArrayEquals(images.toFloats(), made.toFloats());
  }

  private static Map<String, double[]> values(Map<String, Tensor> tensors) {
    Map<String, double[]> values = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> values.put(name, tensor.toDoubles()));
    return values;
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void theSeedAloneMakesTheResultAndNothingElseChanges(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(4, 6, 1, SIZE, SIZE);
    Tensor labels = answers(network, images);
    Map<String, double[]> state = values(network.stateDict());
    float[] before = images.toFloats();
    float[] one = attack.perturb(network, images, labels, Samples.noise(5)).images().toFloats();
    float[] again = attack.perturb(network, images, labels, Samples.noise(5)).images().toFloats();
    assertArrayEquals(one, again);
    assertArrayEquals(before, images.toFloats());
    assertTrue(network.training());
    values(network.stateDict()).forEach((name, v) -> assertArrayEquals(state.get(name), v, name));
    network.parameters().forEach((name, p) -> assertNull(p.grad(), name));
    network.parameters().forEach((name, p) -> assertTrue(p.requiresGrad(), name));
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void theResultAloneIsLeft(Attack attack) {
    Network network = Samples.fresh(SIZE);
    Tensor images = Samples.random(6, 4, 1, SIZE, SIZE);
    Tensor labels = answers(network, images);
    try (Scope _ = Scope.open("attacks")) {
      Generator noise = Samples.noise(7);
      long before = Scope.alive();
      attack.perturb(network, images, labels, noise);
      assertEquals(before + 1, Scope.alive());
    }
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void aTrainedNetworkIsWrongMoreOften(Attack attack) {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(30);
    long clean = right(teacher, sample.images(), sample.labels());
    Tensor made =
        attack.perturb(teacher, sample.images(), sample.labels(), Samples.noise(8)).images();
    long robust = right(teacher, made, sample.labels());
    assertTrue(robust < clean - 5, () -> "%d of %d".formatted(robust, clean));
  }

  @Test
  void wrongSettingsAreRefused() {
    Ball ball = ball(Norm.LINF);
    for (Runnable wrong :
        List.<Runnable>of(
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 0, 1, 1),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 1, 0, 1),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 1, 1, 0),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 9, 1, 1, 0, false),
            () -> new Apgd("a", ball, Apgd.Loss.DLR, 9, 1, 1, 1, true),
            () -> new Apgd("a", ball(Norm.L1), Apgd.Loss.DLR, 4, 1, 1, 1, true),
            () -> new Fab("f", ball, true, 0, 1),
            () -> new Fab("f", ball, true, 1, 0),
            () -> new Square("s", ball, -1, 1, true),
            () -> new Square("s", ball, 1, 0, true))) {
      UsageException e = assertThrows(UsageException.class, wrong::run);
      assertEquals(1, e.getMessage().lines().count());
    }
    UsageException e =
        assertThrows(
            UsageException.class,
            () ->
                Apgd.targeted(ball)
                    .highestLoss(
                        classes(5),
                        Samples.random(1, 1, 1, 3, 3),
                        Tensor.of(new long[1], 1),
                        Samples.noise(1)));
    assertTrue(e.getMessage().contains("use apgd-ce or apgd-dlr"), e::getMessage);
  }
}
