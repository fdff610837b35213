package bridge.architecture;

import bridge.torch.Tensor;

/** The mean over all positions: [N, C, H, W] to [N, C, 1, 1], whatever H and W. */
final class AveragePool extends Module {

  @Override
  protected Tensor forward(Tensor x) {
    return x.adaptiveAvgPool2d(1, 1);
  }
}
