package bridge.architecture;

import bridge.torch.Tensor;

/** Normalises every vector along the last dimension: [..., width] to the same shape. */
final class LayerNorm extends Module {
  private final Tensor weight;
  private final Tensor bias;
  private final double eps;

  LayerNorm(Init init, int width, double eps) {
    weight = parameter("weight", init.constant(1, width));
    bias = parameter("bias", init.constant(0, width));
    this.eps = eps;
  }

  @Override
  protected Tensor forward(Tensor x) {
    return x.layerNorm(weight, bias, eps);
  }
}
