package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** AutoAttack: its versions, their components, and who attacks which images. */
class AutoAttackTest extends ShortAttacksTest {
  @ParameterizedTest
  @CsvSource({
    "STANDARD, autoattack, apgd-ce apgd-t fab-t square",
    "PLUS, autoattack-plus, apgd-ce apgd-dlr fab square apgd-t fab-t",
    "RAND, autoattack-rand, apgd-ce apgd-dlr"
  })
  void versionsAreThoseOfThePublicCode(AutoAttack.Version version, String name, String components) {
    AutoAttack attack = new AutoAttack(version, ball(Norm.LINF));
    assertEquals(name, attack.name());
    assertEquals(
        components, String.join(" ", attack.components().stream().map(Attack::name).toList()));
    for (Attack component : attack.components()) {
      boolean plus = version == AutoAttack.Version.PLUS;
      int draws = version == AutoAttack.Version.RAND ? 20 : 1;
      switch (component) {
        case Apgd a -> {
          int restarts = plus && a.loss() != Apgd.Loss.TARGETED_DLR ? 5 : 1;
          assertEquals(new Apgd(a.name(), a.ball(), a.loss(), 100, restarts, draws), a);
        }
        case Fab a ->
            assertEquals(new Fab(a.name(), a.ball(), a.targeted(), 100, a.targeted() ? 1 : 5), a);
        case Square a -> assertEquals(new Square("square", a.ball(), 5000, 1, false), a);
        default -> throw new AssertionError(component);
      }
    }
  }

  /** What autoattack.py sets where the norm is L1. */
  @Test
  void inL1StandardWidensBeginsAgainAndHasFewerTargets() {
    Ball ball = ball(Norm.L1);
    assertEquals(
        List.of(
            new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 100, 5, 1, 1, true),
            new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 100, 1, 1, 5, true),
            new Fab("fab-t", ball, true, 100, 1),
            new Square("square", ball, 5000, 1, false)),
        new AutoAttack(AutoAttack.Version.STANDARD, ball).components());
    assertEquals(
        List.of(
            new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 100, 5, 1, 1, false),
            new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 100, 5, 1, 1, false),
            new Fab("fab", ball, false, 100, 5),
            new Square("square", ball, 5000, 1, false),
            new Apgd("apgd-t", ball, Apgd.Loss.TARGETED_DLR, 100, 1, 1, 9, false),
            new Fab("fab-t", ball, true, 100, 1)),
        new AutoAttack(AutoAttack.Version.PLUS, ball).components());
    assertEquals(
        List.of(
            new Apgd("apgd-ce", ball, Apgd.Loss.CROSS_ENTROPY, 100, 1, 20, 1, false),
            new Apgd("apgd-dlr", ball, Apgd.Loss.DLR, 100, 1, 20, 1, false)),
        new AutoAttack(AutoAttack.Version.RAND, ball).components());
  }

  /** Breaks the images whose first pixel is this, and remembers how many it was asked about. */
  private record Breaks(String name, float pixel, List<Long> asked) implements Attack {
    Breaks(String name, double pixel) {
      this(name, (float) pixel, new ArrayList<>());
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      asked.add(images.size(0));
      Tensor hit = images.sub(pixel).abs().lt(1e-6);
      return new Perturbed(hit.where(images.zerosLike().add(0.9), images));
    }
  }

  /** One pixel: wrong above 1/2 for class 0. */
  private static Network half() {
    return linear(Tensor.of(new float[] {1}, 1), -0.5);
  }

  private static BitSet bits(int... set) {
    BitSet bits = new BitSet();
    IntStream.of(set).forEach(bits::set);
    return bits;
  }

  @Test
  void eachAttackMeetsOnlyWhatIsLeft() {
    Tensor images = Tensor.of(new float[] {0.1f, 0.7f, 0.2f, 0.3f, 0.2f}, 5, 1, 1, 1);
    Tensor labels = Tensor.of(new long[5], 5);
    Breaks first = new Breaks("first", 0.2);
    Breaks second = new Breaks("second", 0.1);
    Breaks third = new Breaks("third", 0.2);
    Stages stages = new Stages(half(), images, labels, Samples.noise(19));
    AutoAttack.run(List.of(first, second, third), stages, warning -> {});
    assertEquals(List.of("first", "second", "third"), List.copyOf(stages.right().keySet()));
    assertEquals(List.of(bits(0, 3), bits(3), bits(3)), List.copyOf(stages.right().values()));
    assertArrayEquals(new float[] {0.9f, 0.7f, 0.9f, 0.3f, 0.9f}, stages.images().toFloats());
    assertEquals(List.of(4L), first.asked());
    assertEquals(List.of(2L), second.asked());
    assertEquals(List.of(1L), third.asked());
  }

  /** Whatever the images are, a whole data set or a batch: square is compared with those before. */
  @Test
  void warningsAreThoseOfTheWholeTarget() {
    List<String> warnings = new ArrayList<>();
    double[] accuracies = {0.9, 0.5, 0.3, 0.2};
    int[] attacked = {0};
    AutoAttack.Target target =
        new AutoAttack.Target() {
          @Override
          public double accuracy() {
            return accuracies[attacked[0]];
          }

          @Override
          public int attack(Attack component) {
            attacked[0]++;
            return component instanceof Apgd ? 2 : 0;
          }
        };
    Ball ball = ball(Norm.LINF);
    List<Attack> components =
        List.of(Apgd.crossEntropy(ball), Square.of(ball), Apgd.targeted(ball));
    AutoAttack.run(components, target, warnings::add);
    assertEquals(
        List.of(Checks.square(0.5, 0.3).orElseThrow(), Checks.zeroGradients(4).orElseThrow()),
        warnings);
  }

  @Test
  void anImageCountsAsBrokenOnlyIfTheNetworkIsWrong() {
    Tensor images = Tensor.of(new float[] {0.1f, 0.2f}, 2, 1, 1, 1);
    Attack moves =
        new Attack() {
          @Override
          public String name() {
            return "moves";
          }

          @Override
          public Perturbed perturb(Network network, Tensor x, Tensor labels, Generator noise) {
            return new Perturbed(x.add(0.35));
          }
        };
    Stages stages = new Stages(half(), images, Tensor.of(new long[2], 2), Samples.noise(20));
    stages.attack(moves);
    assertEquals(bits(0), stages.right().get("moves"));
    assertArrayEquals(new float[] {0.1f, 0.55f}, stages.images().toFloats(), 1e-7f);
  }
}
