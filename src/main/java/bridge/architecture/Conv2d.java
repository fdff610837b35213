package bridge.architecture;

import bridge.torch.Tensor;

/** A square convolution: [N, in, H, W] to [N, out, H', W']. */
public final class Conv2d extends Module {
  private final Tensor weight;
  private final Tensor bias;
  private final int stride;
  private final int padding;
  private final int groups;
  private boolean end;

  /**
   * @param weight [out, in / groups, k, k]
   * @param bias [out]; null for none
   * @param padding zeros on each side
   */
  Conv2d(Tensor weight, Tensor bias, int stride, int padding, int groups) {
    this.weight = parameter("weight", weight);
    this.bias = bias == null ? null : parameter("bias", bias);
    this.stride = stride;
    this.padding = padding;
    this.groups = groups;
  }

  /** Without bias; keeps height and width (divided by the stride). */
  Conv2d(Init init, int in, int out, int kernel, int stride, int groups) {
    this(init.convolution(out, in / groups, kernel), null, stride, kernel / 2, groups);
  }

  /** Without bias; keeps height and width (divided by the stride). */
  public Conv2d(Init init, int in, int out, int kernel, int stride) {
    this(init, in, out, kernel, stride, 1);
  }

  /**
   * As {@link #Conv2d(Init, int, int, int, int)}, but padded as TensorFlow's SAME does for maps of
   * even size: a 3×3 kernel of stride 2 gets its zeros at the right and the bottom only.
   */
  static Conv2d same(Init init, int in, int out, int kernel, int stride) {
    boolean end = kernel == 3 && stride == 2;
    Tensor weight = init.convolution(out, in, kernel);
    Conv2d conv = new Conv2d(weight, null, stride, end ? 0 : kernel / 2, 1);
    conv.end = end;
    return conv;
  }

  @Override
  protected Tensor forward(Tensor x) {
    if (end) {
      x = x.pad(0, 1, 0, 1);
    }
    return x.conv2d(weight, bias, stride, padding, groups);
  }
}
