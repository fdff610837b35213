package bridge.train;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/**
 * What the host spends on giving a CUDA device its work, without waiting for it: where it is more
 * than the device takes, the host is the limit.
 *
 * @param perStep seconds until a step's last operation was given to the device, median
 * @param perLaunch seconds for a small operation in place, mean of many
 */
public record HostTime(double perStep, double perLaunch) {
  private static final int LAUNCHES = 1000;

  /**
   * @param steps seconds of the host for each of them
   */
  static HostTime of(Device device, List<Double> steps) {
    return new HostTime(Spread.of(steps).median(), perLaunch(device));
  }

  /** Also answers for the processor, where an operation is done when its call returns. */
  static double perLaunch(Device device) {
    try (Scope _ = Scope.open("launches");
        NoGrad _ = NoGrad.enter()) {
      Tensor small = Tensor.zeros(DType.FLOAT32, device, 1);
      small.add_(1); // the first one prepares
      settle(device);
      long begin = System.nanoTime();
      for (int i = 0; i < LAUNCHES; i++) {
        small.add_(1);
      }
      double seconds = (System.nanoTime() - begin) / 1e9;
      settle(device);
      return seconds / LAUNCHES;
    }
  }

  /** Returns when the device has done all that it was given. */
  static void settle(Device device) {
    if (device.isCuda()) {
      try (Scope _ = Scope.open("settle")) {
        Tensor.zeros(DType.FLOAT32, device, 1).select(0, 0).item();
      }
    }
  }
}
