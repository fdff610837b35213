package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The attacks on networks of few classes. */
class FewClassesTest extends ShortAttacksTest {
  @ParameterizedTest
  @CsvSource({"2, apgd-dlr", "2, apgd-t", "3, apgd-t"})
  void whatALossCannotCompareIsRefusedInOneLine(int classes, String attack) {
    Tensor images = Samples.random(22, 2, 1, 3, 3);
    Network network = classes(classes);
    Tensor labels = answers(network, images);
    Apgd apgd =
        attack.equals("apgd-t") ? Apgd.targeted(ball(Norm.LINF)) : Apgd.dlr(ball(Norm.LINF));
    UsageException e =
        assertThrows(
            UsageException.class,
            () -> apgd.perturb(network, images, labels, Samples.noise(23)).images());
    assertEquals(
        "%s compares the %d largest logits, and linear has %d classes; use apgd-ce, fab and square"
            .formatted(attack, attack.equals("apgd-t") ? 4 : 3, classes),
        e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"2, 0", "3, 1", "4, 2", "5, 2"})
  void whatCanBeComparedWorksWithFewClasses(int classes, int dlr) {
    Tensor images = Samples.random(24, 20, 1, 3, 3);
    Network network = classes(classes);
    Tensor labels = answers(network, images);
    for (Norm norm : Norm.values()) {
      List<Attack> all = shortened(ball(norm, 0.25, 0.7, 1.5));
      List<Attack> usable =
          new ArrayList<>(List.of(all.get(0), all.get(3), all.get(4), all.get(5)));
      usable.addAll(all.subList(1, 1 + dlr));
      for (Attack attack : usable) {
        long robust =
            right(
                network,
                attack.perturb(network, images, labels, Samples.noise(25)).images(),
                labels);
        assertTrue(robust < 18, () -> "%s: %d right".formatted(attack, robust));
      }
    }
  }

  /** Counts how often it is asked. */
  private static final class Counting extends Altered {
    private int asked;

    Counting(Network of) {
      super(of);
    }

    @Override
    Tensor answer(Tensor images, Tensor logits) {
      asked++;
      return logits;
    }
  }

  @ParameterizedTest
  @CsvSource({"4, 3", "6, 5", "10, 9", "12, 9"})
  void thereAreAsManyTargetsAsOtherClassesButNineAtMost(int classes, int targets) {
    Tensor images = Samples.random(26, 3, 1, 3, 3);
    Counting network = new Counting(classes(classes));
    Tensor labels = answers(network, images);
    Ball still = new Ball(Norm.LINF, 0);
    network.asked = 0;
    new Apgd("apgd-t", still, Apgd.Loss.TARGETED_DLR, 5, 1, 1)
        .perturb(network, images, labels, Samples.noise(27));
    assertEquals(1 + targets * 6, network.asked);
    network.asked = 0;
    new Fab("fab-t", still, true, 5, 1)
        .perturb(network, images, labels, Samples.noise(27))
        .images();
    assertEquals(1 + targets * 10, network.asked);
  }
}
