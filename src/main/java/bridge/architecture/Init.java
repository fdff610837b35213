package bridge.architecture;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Seeds;
import bridge.torch.Tensor;

/**
 * First values of parameters. Drawn on the processor, one parameter after the other as they are
 * registered, so that a seed gives the same network on every device; or not drawn at all, where a
 * checkpoint is to follow or only the shapes are wanted.
 */
public final class Init {

  /** How the weights of convolutions are drawn. */
  public enum Convolutions {
    /** Uniform in ±1/√fan_in: PyTorch's default, kaiming_uniform with a = √5. */
    UNIFORM_FAN_IN,
    /** Normal with variance 2/fan_in (He et al. 2015). */
    NORMAL_FAN_IN,
    /** Normal with variance 2/fan_out (He et al. 2015), as the CIFAR ResNets are started. */
    NORMAL_FAN_OUT
  }

  /** Null where nothing is drawn. */
  private final Generator generator;

  private final Device device;
  private final DType type;
  private final Convolutions convolutions;

  private Init(Generator generator, Device device, DType type, Convolutions convolutions) {
    this.generator = generator;
    this.device = device;
    this.type = type;
    this.convolutions = convolutions;
  }

  /** First values from the stream "init" of these seeds, for parameters on this device. */
  public static Init of(Seeds seeds, Device device) {
    return of(seeds, "init", DType.FLOAT32, device);
  }

  /** First values of this type from a stream of these seeds, for parameters on this device. */
  public static Init of(Seeds seeds, String stream, DType type, Device device) {
    Generator generator = Generator.on(Device.CPU, seeds.derive(stream));
    return new Init(generator, device, type, Convolutions.UNIFORM_FAN_IN);
  }

  /** Memory on this device, not filled: for networks whose weights a checkpoint gives. */
  public static Init unset(Device device) {
    return new Init(null, device, DType.FLOAT32, Convolutions.UNIFORM_FAN_IN);
  }

  /** Shapes without memory. */
  static Init shapes() {
    return unset(Device.META);
  }

  /** The same stream, with convolutions drawn another way. */
  Init with(Convolutions other) {
    return new Init(generator, device, type, other);
  }

  /** The weight [out, in / groups, k, k] of a convolution. */
  Tensor convolution(long out, long inPerGroup, long kernel) {
    long area = kernel * kernel;
    long[] shape = {out, inPerGroup, kernel, kernel};
    return switch (convolutions) {
      case UNIFORM_FAN_IN -> uniform(inPerGroup * area, shape);
      case NORMAL_FAN_IN -> normal(Math.sqrt(2.0 / (inPerGroup * area)), shape);
      case NORMAL_FAN_OUT -> normal(Math.sqrt(2.0 / (out * area)), shape);
    };
  }

  /** The bias [out] of a convolution: uniform as its weight is, or 0 where that is normal. */
  Tensor convolutionBias(long out, long inPerGroup, long kernel) {
    return convolutions == Convolutions.UNIFORM_FAN_IN
        ? uniform(inPerGroup * kernel * kernel, out)
        : constant(0, out);
  }

  /** Uniform in ±1/√fanIn. */
  public Tensor uniform(long fanIn, long... shape) {
    return within(1 / Math.sqrt(fanIn), shape);
  }

  /**
   * The weight [out, in] of a linear layer, uniform in ±√(6 / (in + out)) (Glorot, Bengio 2010).
   */
  Tensor glorot(long out, long in) {
    return within(Math.sqrt(6.0 / (in + out)), out, in);
  }

  private Tensor within(double bound, long... shape) {
    return generator == null
        ? Tensor.empty(type, device, shape)
        : Tensor.empty(type, Device.CPU, shape).uniform_(-bound, bound, generator).to(device);
  }

  /** Normal around 0. */
  Tensor normal(double std, long... shape) {
    return generator == null
        ? Tensor.empty(type, device, shape)
        : Tensor.empty(type, Device.CPU, shape).normal_(0, std, generator).to(device);
  }

  Tensor constant(double value, long... shape) {
    return Tensor.full(value, type, device, shape);
  }

  /** These values, one for each channel of a map [N, C, H, W]. */
  Tensor perChannel(float... values) {
    return Tensor.of(values, values.length, 1, 1).to(device);
  }

  /** The int64 scalar 0. */
  Tensor counter() {
    return Tensor.zeros(DType.INT64, device);
  }
}
