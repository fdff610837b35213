package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The targeted forms of the gradient attacks; C&W's and AutoAttack's are tested with those. */
class TargetedTest {
  private static final int IMAGES = 24;
  private static final Ball BALL = new Ball(Norm.LINF, 0.15);

  private Scope scope;
  private Network network;
  private Samples.Labelled sample;
  private long[] targets;

  /** What all of them have. */
  private interface Towards {
    Tensor towards(Network network, Tensor images, Tensor targets, Generator noise);
  }

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    network = Samples.teacher();
    sample = Samples.images(IMAGES);
    targets = Arrays.stream(sample.labels().toLongs()).map(y -> (y + 3) % 10).toArray();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  static Stream<Arguments> attacks() {
    Pgd pgd = new Pgd("pgd", BALL, 0.03, 20, Start.UNIFORM, Pgd.NetworkMode.EVAL);
    Fgsm fgsm = new Fgsm(new Ball(Norm.LINF, 0.02));
    MiFgsm mifgsm = new MiFgsm(BALL, 0.03, 20, 1);
    return Stream.of(
        Arguments.of("pgd", pgd, (Towards) pgd::towards, 0.9),
        Arguments.of("fgsm", fgsm, (Towards) fgsm::towards, 0.0),
        Arguments.of("mifgsm", mifgsm, (Towards) mifgsm::towards, 0.9));
  }

  private double crossEntropy(Tensor images, Tensor classes) {
    try (NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      return Losses.crossEntropy(network.logits(images), classes).item();
    }
  }

  private double taken(Tensor images) {
    try (NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      long[] said = network.logits(images).argmax(1).toLongs();
      long count = IntStream.range(0, IMAGES).filter(i -> said[i] == targets[i]).count();
      return (double) count / IMAGES;
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("attacks")
  void imagesAreTakenForTheirTargets(String name, Attack attack, Towards targeted, double share) {
    Tensor towards = Tensor.of(targets, targets.length);
    Tensor made = targeted.towards(network, sample.images(), towards, Samples.noise(2));
    assertTrue(taken(made) >= share, () -> name + " " + taken(made));
    double before = crossEntropy(sample.images(), towards);
    assertTrue(crossEntropy(made, towards) < before, "nearer to the target");

    Tensor away =
        attack.perturb(network, sample.images(), sample.labels(), Samples.noise(2)).images();
    assertTrue(
        crossEntropy(away, sample.labels()) > crossEntropy(made, sample.labels()),
        "the untargeted form climbs what the targeted one does not");
    double size = made.sub(sample.images()).abs().max().item();
    double epsilon = attack instanceof Fgsm fgsm ? fgsm.ball().epsilon() : BALL.epsilon();
    assertTrue(size <= epsilon + 1e-6, () -> "moved by " + size);
  }
}
