package bridge.train;

import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.function.Supplier;

/**
 * The most floating-point operations per second that libtorch gets out of a device, in float32 and
 * with the threads set: what a training step can be held against.
 *
 * @param product of two large matrices
 * @param convolution 3×3 with 128 channels, of large maps
 */
public record MachinePeak(double product, double convolution) {
  private static final int LARGE = 1024;
  private static final int LARGE_ON_CUDA = 8192;
  private static final int IMAGES = 32;
  private static final int IMAGES_ON_CUDA = 512;
  private static final int CHANNELS = 128;
  private static final int MAP = 32;
  private static final int KERNEL = 3;

  /** Operations are repeated for so long; the fastest counts. */
  private static final double SECONDS = 0.7;

  private static final int LEAST_TIMES = 3;

  /** The higher of the two. */
  public double highest() {
    return Math.max(product, convolution);
  }

  /** Measures it; takes a second or two. */
  static MachinePeak of(Device device) {
    try (Scope _ = Scope.open("peak");
        NoGrad _ = NoGrad.enter()) {
      Generator draws = Generator.on(device, 1);
      int n = device.isCuda() ? LARGE_ON_CUDA : LARGE;
      Tensor a = Tensor.randn(draws, device, n, n);
      Tensor b = Tensor.randn(draws, device, n, n);
      double product = 2.0 * n * n * n / fastest(device, () -> a.matmul(b));
      int images = device.isCuda() ? IMAGES_ON_CUDA : IMAGES;
      Tensor maps = Tensor.randn(draws, device, images, CHANNELS, MAP, MAP).channelsLast();
      Tensor weight =
          Tensor.randn(draws, device, CHANNELS, CHANNELS, KERNEL, KERNEL).channelsLast();
      double operations = 2.0 * images * MAP * MAP * weight.numel();
      int padding = KERNEL / 2;
      return new MachinePeak(
          product, operations / fastest(device, () -> maps.conv2d(weight, null, 1, padding, 1)));
    }
  }

  /** Seconds of the fastest of several calls, each waited for. */
  private static double fastest(Device device, Supplier<Tensor> operation) {
    double fastest = Double.MAX_VALUE;
    double all = 0;
    for (int i = 0; i <= LEAST_TIMES || all < SECONDS; i++) {
      try (Scope _ = Scope.open("operation")) {
        long begin = System.nanoTime();
        operation.get();
        HostTime.settle(device);
        double seconds = (System.nanoTime() - begin) / 1e9;
        all += seconds;
        fastest = i == 0 ? fastest : Math.min(fastest, seconds); // the first one prepares
      }
    }
    return fastest;
  }
}
