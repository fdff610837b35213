package bridge.torch;

import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Inside it, on this thread, products and convolutions round their operands to bfloat16 and compute
 * in it, as in {@code torch.autocast}; sums, softmax and the like stay in float32. Closing restores
 * what was before. For forward passes; gradients follow by themselves.
 *
 * <pre>{@code
 * try (Autocast _ = Autocast.bfloat16(device)) { ... }
 * }</pre>
 */
public final class Autocast implements AutoCloseable {
  private final DeviceType device;
  private final boolean enabled;
  private final ScalarType type;

  private Autocast(DeviceType device) {
    Natives.load();
    this.device = device;
    enabled = torch.is_autocast_enabled(device);
    type = torch.get_autocast_dtype(device);
    torch.set_autocast_dtype(device, ScalarType.BFloat16);
    torch.set_autocast_enabled(device, true);
    torch.increment_nesting();
  }

  /** On operations of this device. */
  public static Autocast bfloat16(Device device) {
    return new Autocast(device.isCuda() ? DeviceType.CUDA : DeviceType.CPU);
  }

  @Override
  public void close() {
    if (torch.decrement_nesting() == 0) {
      torch.clear_cache(); // rounded weights, which the next step changes
    }
    torch.set_autocast_enabled(device, enabled);
    torch.set_autocast_dtype(device, type);
  }
}
