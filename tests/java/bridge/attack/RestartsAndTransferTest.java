package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.UsageException;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Attacks made of attacks. */
class RestartsAndTransferTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** Says the given images one after the other, and remembers what it was asked about. */
  private record Given(Iterator<float[]> pixels, List<float[]> asked) implements Attack {
    static Given of(float[]... pixels) {
      return new Given(List.of(pixels).iterator(), new ArrayList<>());
    }

    @Override
    public String name() {
      return "given";
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      asked.add(images.toFloats());
      float[] next = pixels.next();
      return new Perturbed(Tensor.of(next, next.length, 1, 1, 1));
    }
  }

  /** One pixel: logits 0 and x − 1/2, so that an image of class 0 is wrong above 1/2. */
  private static LinearNetwork half() {
    return new LinearNetwork(
        Tensor.of(new float[] {0, 1}, 2, 1), Tensor.of(new float[] {0, -0.5f}, 2));
  }

  private static float[] worst(Given attack, int times) {
    Tensor images = Tensor.of(new float[] {0.1f, 0.2f, 0.3f}, 3, 1, 1, 1);
    return new Restarts(attack, times)
        .perturb(half(), images, Tensor.of(new long[3], 3), Samples.noise(1))
        .images()
        .toFloats();
  }

  @Test
  void theWorstOfEachImageIsKeptAndWrongOnesAreLeftAlone() {
    Given attack =
        Given.of(
            new float[] {0.4f, 0.7f, 0.2f},
            new float[] {0.3f, 0.25f}, // of the first and the third: worse only for the third
            new float[] {0.6f, 0.1f});
    assertArrayEquals(new float[] {0.6f, 0.7f, 0.25f}, worst(attack, 3));
    assertEquals(3, attack.asked().size());
    assertArrayEquals(new float[] {0.1f, 0.3f}, attack.asked().get(1));
    assertArrayEquals(new float[] {0.1f, 0.3f}, attack.asked().get(2));
  }

  @Test
  void nothingIsLeftToDoWhereAllAreWrong() {
    Given attack = Given.of(new float[] {0.8f, 0.9f, 1});
    assertArrayEquals(new float[] {0.8f, 0.9f, 1}, worst(attack, 5));
  }

  @Test
  void oneRestartIsTheAttackItself() {
    Samples.Labelled sample = Samples.images(10);
    Network teacher = Samples.teacher();
    Ball ball = new Ball(Norm.LINF, 0.03);
    Attack pgd = new Pgd("pgd3", ball, 0.01, 3, Start.UNIFORM, Pgd.NetworkMode.EVAL);
    Tensor alone =
        pgd.perturb(teacher, sample.images(), sample.labels(), Samples.noise(5)).images();
    Attack once = new Restarts(pgd, 1);
    Tensor made =
        once.perturb(teacher, sample.images(), sample.labels(), Samples.noise(5)).images();
    assertArrayEquals(alone.toFloats(), made.toFloats());
    assertEquals("pgd3-r1", once.name());
  }

  @Test
  void noRestartIsRefused() {
    UsageException e =
        assertThrows(UsageException.class, () -> new Restarts(Given.of(new float[0]), 0));
    assertEquals("given needs 1 restart or more, found 0", e.getMessage());
  }

  @Test
  void transferAsksOnlyTheSurrogate() {
    Samples.Labelled sample = Samples.images(10);
    Network surrogate = Samples.teacher();
    Attack fgsm = new Fgsm(new Ball(Norm.LINF, 0.1));
    Tensor made =
        fgsm.perturb(surrogate, sample.images(), sample.labels(), Samples.noise(1)).images();
    Attack transfer = new Transfer(fgsm, surrogate);
    Tensor shown =
        transfer.perturb(null, sample.images(), sample.labels(), Samples.noise(1)).images();
    assertArrayEquals(made.toFloats(), shown.toFloats());
    assertEquals("transfer-fgsm", transfer.name());
  }
}
