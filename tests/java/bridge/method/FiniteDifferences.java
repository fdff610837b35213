package bridge.method;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.gradient.Objective;
import bridge.torch.Tensor;
import java.util.function.DoubleSupplier;

/** Central differences of a smooth loss in float64, which gradients are compared with. */
final class FiniteDifferences {
  /** The error is about h² plus 1e-16 / h. */
  private static final double H = 1e-5;

  private FiniteDifferences() {}

  /** The loss's derivative by one element of the flattened tensor, which it leaves as it was. */
  static double derivative(Tensor by, long at, DoubleSupplier loss) {
    Tensor flat = by.detach().flatten(0).narrow(0, at, 1);
    flat.add_(H);
    double up = loss.getAsDouble();
    flat.add_(-2 * H);
    double down = loss.getAsDouble();
    flat.add_(H);
    return (up - down) / (2 * H);
  }

  /** Compares a gradient's first, middle and last element; null stands for one of zeros. */
  static void compare(
      String name, Tensor by, Tensor gradient, double tolerance, DoubleSupplier loss) {
    for (long at : new long[] {0, by.numel() / 2, by.numel() - 1}) {
      double exact = gradient == null ? 0 : gradient.flatten(0).select(0, at).item();
      double measured = derivative(by, at, loss);
      assertEquals(measured, exact, tolerance * Math.max(1, Math.abs(measured)), name);
    }
  }

  /** Compares some elements of the objective's gradient at these images. */
  static void compare(Objective objective, Tensor x, double tolerance) {
    Tensor gradient = objective.at(x).gradient(x).flatten(0);
    for (long at : new long[] {0, 17, x.numel() - 1}) {
      double measured = derivative(x, at, () -> objective.at(x).item());
      assertEquals(measured, gradient.select(0, at).item(), tolerance);
    }
  }
}
