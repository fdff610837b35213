package bridge.method.parts;

import bridge.UsageException;
import bridge.architecture.BatchNorm2d;
import bridge.architecture.Init;
import bridge.architecture.Module;
import bridge.torch.Tensor;

/**
 * FitNets' regressor: brings the student's map [N, C, H, W] to the shape of the teacher's, with a
 * convolution, batch normalisation where asked for, and ReLU. PyTorch's default initialisation.
 *
 * <p>The convolution is 3×3 of stride 2 where the student's map is twice as high as the teacher's,
 * a transposed 4×4 of stride 2 where it is half as high, else one of the size without padding that
 * gives the teacher's size: 1×1 where the sizes agree (RepDistiller, models/util.py, ConvReg).
 */
public final class Regressor extends Module {
  private final boolean transposed;
  private final int stride;
  private final int padding;
  private final Tensor weight;
  private final Tensor bias;
  private final BatchNorm2d normalisation;

  /**
   * @param from C, H, W of the student's map
   * @param to C, H, W of the teacher's
   * @param resizes whether maps of half or twice the height have a convolution of their own
   * @param normalises whether batch normalisation follows the convolution
   * @throws UsageException where no convolution gives the teacher's size
   */
  public Regressor(long[] from, long[] to, boolean resizes, boolean normalises, Init init) {
    boolean halves = resizes && from[1] == 2 * to[1];
    transposed = resizes && 2 * from[1] == to[1];
    if (!halves && !transposed && (from[1] < to[1] || from[2] < to[2])) {
      throw new UsageException(
          "the student's map %d×%d cannot be brought to the teacher's %d×%d; name another layer with method.featLayer or the teacher's features"
              .formatted(from[1], from[2], to[1], to[2]));
    }
    stride = halves || transposed ? 2 : 1;
    padding = halves || transposed ? 1 : 0;
    long height = halves ? 3 : transposed ? 4 : 1 + from[1] - to[1];
    long width = halves ? 3 : transposed ? 4 : 1 + from[2] - to[2];
    long[] shape =
        transposed
            ? new long[] {from[0], to[0], height, width}
            : new long[] {to[0], from[0], height, width};
    long fanIn = shape[1] * height * width;
    weight = parameter("weight", init.uniform(fanIn, shape));
    bias = parameter("bias", init.uniform(fanIn, to[0]));
    normalisation = normalises ? child("bn", new BatchNorm2d(init, (int) to[0])) : null;
  }

  @Override
  protected Tensor forward(Tensor map) {
    Tensor out =
        transposed
            ? map.convTranspose2d(weight, bias, stride, padding)
            : map.conv2d(weight, bias, stride, padding, 1);
    return (normalisation == null ? out : normalisation.apply(out)).relu();
  }
}
