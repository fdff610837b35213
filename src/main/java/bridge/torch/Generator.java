package bridge.torch;

import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Random numbers on one device, seeded by hand ({@link Seeds#derive}); libtorch's default generator
 * is never used for what must be repeatable. Belongs to the scope it was made in.
 */
public final class Generator {
  final GeneratorOptional pointer;
  private final org.bytedeco.pytorch.Generator generator;

  private Generator(org.bytedeco.pytorch.Generator generator) {
    this.generator = generator;
    this.pointer = new GeneratorOptional(generator);
  }

  /** A generator for tensors of this device. */
  public static Generator on(Device device, long seed) {
    Scope.require();
    if (!device.isCuda()) {
      return new Generator(torch.createCPUGenerator(seed));
    }
    var generator = torch.globalContext().defaultGenerator(device.pointer()).clone();
    generator.set_current_seed(seed);
    return new Generator(generator);
  }

  /** Starts the sequence that belongs to this seed; returns this. */
  public Generator seed(long seed) {
    generator.set_current_seed(seed);
    return this;
  }
}
