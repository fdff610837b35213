package bridge.architecture;

import bridge.torch.Tensor;

/** x · weightᵀ + bias: [N, in] to [N, out]. */
public final class Linear extends Module {
  private final Tensor weight;
  private final Tensor bias;

  /**
   * @param weight [out, in]
   * @param bias [out]; null for none
   */
  Linear(Tensor weight, Tensor bias) {
    this.weight = parameter("weight", weight);
    this.bias = bias == null ? null : parameter("bias", bias);
  }

  /** Uniform in ±1/√in, PyTorch's default. */
  public Linear(Init init, int in, int out) {
    this(init.uniform(in, out, in), init.uniform(in, out));
  }

  /** Normal with deviation 0.01 and no bias at first, as torchvision starts its classifiers. */
  static Linear normal(Init init, int in, int out) {
    return new Linear(init.normal(0.01, out, in), init.constant(0, out));
  }

  @Override
  protected Tensor forward(Tensor x) {
    return x.linear(weight, bias);
  }
}
