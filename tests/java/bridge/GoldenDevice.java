package bridge;

import bridge.torch.Device;
import bridge.torch.Tensor;

/** Where recorded cases are computed: on the processor, or where {@code -Ddevice=cuda} says. */
public final class GoldenDevice {
  public static final Device DEVICE = Device.parse(System.getProperty("device", "cpu"));

  private GoldenDevice() {}

  /** The tensor there; it itself, if that is where it is. */
  public static Tensor there(Tensor tensor) {
    return tensor.to(DEVICE);
  }
}
