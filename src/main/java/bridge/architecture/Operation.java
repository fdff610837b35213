package bridge.architecture;

import bridge.torch.Tensor;
import java.util.function.UnaryOperator;

/**
 * A step without parameters that is the same in training and evaluation, such as an activation or a
 * pooling. One that works in place, such as {@code Tensor::relu_}, may only follow a module whose
 * output nothing else needs: a convolution, a linear layer or a normalisation.
 */
final class Operation extends Module {
  private final UnaryOperator<Tensor> step;

  Operation(UnaryOperator<Tensor> step) {
    this.step = step;
  }

  @Override
  protected Tensor forward(Tensor x) {
    return step.apply(x);
  }
}
