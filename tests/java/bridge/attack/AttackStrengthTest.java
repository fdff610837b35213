package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which attack breaks at least as many images of a trained network as which. */
class AttackStrengthTest extends ShortAttacksTest {
  /** Of one image in thirty random starts may decide. */
  @Test
  void autoAttackIsAtLeastAsStrongAsApgdAndThatAsPgd() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(30);
    Ball ball = new Ball(Norm.LINF, 8.0 / 255);
    Attack pgd = new Pgd("pgd20", ball, 2.0 / 255, 20, Start.UNIFORM, Pgd.NetworkMode.EVAL);
    long clean = right(teacher, sample.images(), sample.labels());
    long afterPgd = right(teacher, made(pgd, teacher, sample), sample.labels());
    long afterApgd =
        right(teacher, made(Apgd.crossEntropy(ball), teacher, sample), sample.labels());
    Attack all = new AutoAttack(AutoAttack.Version.STANDARD, ball);
    long afterAll = right(teacher, made(all, teacher, sample), sample.labels());
    assertTrue(clean > afterPgd, () -> "%d, then %d".formatted(clean, afterPgd));
    assertTrue(afterApgd <= afterPgd + 1, () -> "%d, then %d".formatted(afterPgd, afterApgd));
    assertTrue(afterAll <= afterApgd, () -> "%d, then %d".formatted(afterApgd, afterAll));
  }

  @Test
  void inL1AllTogetherAreAtLeastAsStrongAsApgdAndThatBreaksSome() {
    Network teacher = Samples.teacher();
    Samples.Labelled sample = Samples.images(20);
    List<Attack> all = shortened(new Ball(Norm.L1, 2));
    long clean = right(teacher, sample.images(), sample.labels());
    long afterApgd = right(teacher, made(all.getFirst(), teacher, sample), sample.labels());
    long afterAll = right(teacher, made(new Chain(all), teacher, sample), sample.labels());
    assertTrue(clean > afterApgd, () -> "%d, then %d".formatted(clean, afterApgd));
    assertTrue(afterAll <= afterApgd, () -> "%d, then %d".formatted(afterApgd, afterAll));
  }

  private static Tensor made(Attack attack, Network network, Samples.Labelled sample) {
    return attack.perturb(network, sample.images(), sample.labels(), Samples.noise(18)).images();
  }
}
