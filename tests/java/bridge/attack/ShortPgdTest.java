package bridge.attack;

import bridge.ScopedTest;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.stream.Stream;

/** Projected gradient ascent of few steps. */
abstract class ShortPgdTest extends ScopedTest {
  static Pgd pgd(Norm norm, double epsilon, double stepSize, int steps, Start start) {
    return new Pgd("pgd", new Ball(norm, epsilon), stepSize, steps, start, Pgd.NetworkMode.EVAL);
  }

  static Pgd strong(int steps) {
    return pgd(Norm.LINF, 0.1, 0.02, steps, Start.UNIFORM);
  }

  static Pgd in(Pgd.NetworkMode mode) {
    return new Pgd("pgd", new Ball(Norm.LINF, 0.1), 0.02, 2, Start.GAUSSIAN, mode);
  }

  static Tensor labels(int count) {
    long[] labels = new long[count];
    Arrays.setAll(labels, i -> i % 10);
    return Tensor.of(labels, count);
  }

  static Stream<Attack> attacks() {
    return Stream.of(
        new Fgsm(new Ball(Norm.LINF, 0.1)), strong(3), pgd(Norm.L2, 1, 0.3, 3, Start.UNIFORM));
  }
}
