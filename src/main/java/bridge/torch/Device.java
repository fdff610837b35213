package bridge.torch;

import bridge.UsageException;
import org.bytedeco.pytorch.global.torch;

/**
 * Where tensors live: the processor, or one CUDA device.
 *
 * @param index of the CUDA device, -1 for the processor, -2 for nowhere
 */
public record Device(int index) {
  public static final Device CPU = new Device(-1);

  /** Tensors here have a shape and a type, but no values and no memory. */
  public static final Device META = new Device(-2);

  /**
   * Reads {@code auto}, {@code cpu}, {@code cuda} or {@code cuda:1}; {@code auto} is the first CUDA
   * device where there is one.
   *
   * @throws UsageException for another word, or a CUDA device that is not there
   */
  public static Device parse(String text) {
    switch (text) {
      case "cpu" -> {
        return CPU;
      }
      case "auto" -> {
        return cudaDevices() > 0 ? new Device(0) : CPU;
      }
      default -> {
        if (!text.matches("cuda(:\\d{1,3})?")) {
          throw new UsageException("device must be auto, cpu, cuda or cuda:INDEX, found " + text);
        }
      }
    }
    int index = text.length() > 5 ? Integer.parseInt(text.substring(5)) : 0;
    int devices = cudaDevices();
    if (devices == 0) {
      throw new UsageException(
          ("device %s is not there: %s; use --device cpu, or see bridge doctor")
              .formatted(
                  text,
                  Natives.isCudaBuild()
                      ? "no CUDA device was found"
                      : "this is the CPU build (mvn -Pcuda package makes the CUDA one)"));
    }
    if (index >= devices) {
      throw new UsageException(
          "device %s is not there: this machine has cuda:0 to cuda:%d"
              .formatted(text, devices - 1));
    }
    return new Device(index);
  }

  /** How many CUDA devices this build and this machine offer. */
  public static int cudaDevices() {
    Natives.load();
    return torch.cuda_is_available() ? (int) torch.cuda_device_count() : 0;
  }

  /** Whether it is a CUDA device; else it is the processor. */
  public boolean isCuda() {
    return index >= 0;
  }

  org.bytedeco.pytorch.Device pointer() {
    return new org.bytedeco.pytorch.Device(toString());
  }

  @Override
  public String toString() {
    return isCuda() ? "cuda:" + index : equals(META) ? "meta" : "cpu";
  }
}
