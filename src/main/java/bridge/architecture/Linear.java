package bridge.architecture;

import bridge.torch.Tensor;

/** x · weightᵀ + bias: [N, in] to [N, out]. */
public final class Linear extends Module {
  private final Tensor weight;
  private final Tensor bias;

  public Linear(Init init, int in, int out) {
    weight = parameter("weight", init.uniform(in, out, in));
    bias = parameter("bias", init.uniform(in, out));
  }

  @Override
  protected Tensor forward(Tensor x) {
    return x.linear(weight, bias);
  }
}
