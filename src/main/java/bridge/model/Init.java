package bridge.model;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Seeds;
import bridge.torch.Tensor;

/**
 * First values of parameters. Drawn on the processor, one parameter after the other as they are
 * registered, so that a seed gives the same network on every device.
 */
public final class Init {

  /** How the weights of convolutions are drawn. */
  public enum Convolutions {
    /** Uniform in ±1/√fan_in: PyTorch's default, kaiming_uniform with a = √5. */
    UNIFORM_FAN_IN,
    /** Normal with variance 2/fan_out (He et al. 2015), as the CIFAR ResNets are started. */
    NORMAL_FAN_OUT
  }

  private final Generator generator;
  private final Device device;
  private final Convolutions convolutions;

  private Init(Generator generator, Device device, Convolutions convolutions) {
    this.generator = generator;
    this.device = device;
    this.convolutions = convolutions;
  }

  /** First values from the stream "init" of these seeds, for parameters on this device. */
  public static Init of(Seeds seeds, Device device, Convolutions convolutions) {
    Generator generator = Generator.on(Device.CPU, seeds.derive("init"));
    return new Init(generator, device, convolutions);
  }

  /** The weight [out, in / groups, k, k] of a convolution. */
  Tensor convolution(long out, long inPerGroup, long kernel) {
    long area = kernel * kernel;
    if (convolutions == Convolutions.UNIFORM_FAN_IN) {
      return uniform(inPerGroup * area, out, inPerGroup, kernel, kernel);
    }
    Tensor weight = Tensor.empty(DType.FLOAT32, Device.CPU, out, inPerGroup, kernel, kernel);
    return weight.normal_(0, Math.sqrt(2.0 / (out * area)), generator).to(device);
  }

  /** Uniform in ±1/√fanIn. */
  Tensor uniform(long fanIn, long... shape) {
    double bound = 1 / Math.sqrt(fanIn);
    return Tensor.uniform(-bound, bound, generator, Device.CPU, shape).to(device);
  }

  Tensor constant(double value, long... shape) {
    return Tensor.full(value, DType.FLOAT32, device, shape);
  }

  /** The int64 scalar 0. */
  Tensor counter() {
    return Tensor.zeros(DType.INT64, device);
  }
}
