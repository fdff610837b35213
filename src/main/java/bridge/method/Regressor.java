package bridge.method;

import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * FitNets' regressor: brings the student's map [N, C, H, W] to the shape of the teacher's, with a
 * convolution, batch normalisation where asked for, and ReLU. PyTorch's default initialisation.
 *
 * <p>The convolution is 3×3 of stride 2 where the student's map is twice as high as the teacher's,
 * a transposed 4×4 of stride 2 where it is half as high, else one of the size without padding that
 * gives the teacher's size: 1×1 where the sizes agree (RepDistiller, models/util.py, ConvReg).
 */
final class Regressor {
  private static final double MOMENTUM = 0.1;
  private static final double EPS = 1e-5;

  private final boolean transposed;
  private final int stride;
  private final int padding;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();

  /**
   * @param from C, H, W of the student's map
   * @param to C, H, W of the teacher's
   * @param resizes whether maps of half or twice the height have a convolution of their own
   * @throws UsageException where no convolution gives the teacher's size
   */
  Regressor(
      long[] from,
      long[] to,
      boolean resizes,
      boolean normalises,
      Generator generator,
      Device device,
      DType type) {
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
    double bound = 1 / Math.sqrt(shape[1] * height * width);
    Tensor weight = Tensor.empty(type, device, shape).uniform_(-bound, bound, generator);
    parameters.put("weight", weight);
    parameters.put("bias", Tensor.empty(type, device, to[0]).uniform_(-bound, bound, generator));
    if (normalises) {
      parameters.put("bn.weight", Tensor.full(1, type, device, to[0]));
      parameters.put("bn.bias", Tensor.zeros(type, device, to[0]));
      buffers.put("bn.running_mean", Tensor.zeros(type, device, to[0]));
      buffers.put("bn.running_var", Tensor.full(1, type, device, to[0]));
    }
    parameters.values().forEach(p -> p.requiresGrad_(true));
  }

  Map<String, Tensor> parameters() {
    return parameters;
  }

  Map<String, Tensor> buffers() {
    return buffers;
  }

  Tensor apply(Tensor map) {
    Tensor weight = parameters.get("weight");
    Tensor bias = parameters.get("bias");
    Tensor out =
        transposed
            ? map.convTranspose2d(weight, bias, stride, padding)
            : map.conv2d(weight, bias, stride, padding, 1);
    if (buffers.isEmpty()) {
      return out.relu();
    }
    return out.batchNorm(
            parameters.get("bn.weight"),
            parameters.get("bn.bias"),
            buffers.get("bn.running_mean"),
            buffers.get("bn.running_var"),
            true,
            MOMENTUM,
            EPS)
        .relu();
  }
}
