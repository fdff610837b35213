package bridge.architecture;

import bridge.torch.Tensor;

/** A square convolution without bias: [N, in, H, W] to [N, out, H', W']. */
public final class Conv2d extends Module {
  private final Tensor weight;
  private final int stride;
  private final int padding;
  private final int groups;

  Conv2d(Init init, int in, int out, int kernel, int stride, int groups) {
    this.weight = parameter("weight", init.convolution(out, in / groups, kernel));
    this.stride = stride;
    this.padding = kernel / 2;
    this.groups = groups;
  }

  /** Keeps height and width (divided by the stride). */
  public Conv2d(Init init, int in, int out, int kernel, int stride) {
    this(init, in, out, kernel, stride, 1);
  }

  @Override
  protected Tensor forward(Tensor x) {
    return x.conv2d(weight, null, stride, padding, groups);
  }
}
