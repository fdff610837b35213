package bridge.torch;

import java.util.function.Supplier;

/** Values that no gradient flows through. */
public final class Constant {
  private Constant() {}

  /** What the work gives, in the caller's scope; what else it made is freed. */
  public static Tensor of(Supplier<Tensor> work) {
    try (Scope scope = Scope.open("constant");
        NoGrad _ = NoGrad.enter()) {
      return scope.keep(work.get());
    }
  }

  /**
   * What the work gives, as a constant where its weight is 0: a pass of the student that counts for
   * nothing but its batch statistics needs no gradients.
   */
  public static Tensor unlessWeighted(double weight, Supplier<Tensor> work) {
    return weight == 0 ? of(work) : work.get();
  }
}
