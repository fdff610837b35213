package bridge.torch;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.DeviceGuardImplInterface;
import org.bytedeco.pytorch.Stream;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;

/**
 * What a CUDA graph is captured on: a stream beside the default one, which cannot record. While it
 * is open, this thread's work on the device goes there, and casts of weights are not kept from one
 * operation to the next: a graph that holds a kept cast would go on with the weights of its
 * capture.
 *
 * <p>Reached by libtorch's general interface to devices: the presets' own classes for CUDA would
 * load a library that wants more of cuDNN than the rest of the program.
 */
final class SideStream implements CudaGraph.Stage {
  /** One a device: its cuBLAS workspace, tens of megabytes, is as lasting as the stream. */
  private static final Map<Integer, Long> IDS = new ConcurrentHashMap<>();

  private final DeviceGuardImplInterface devices;
  private final Device device;
  private final int deviceBefore;
  private final long streamBefore;
  private final boolean castsKept;

  private SideStream(Device device) {
    this.device = device;
    devices = torch.getDeviceGuardImpl(DeviceType.CUDA);
    try (Scope _ = Scope.open("side-stream")) {
      deviceBefore = devices.exchangeDevice(device.pointer()).index();
      long id =
          IDS.computeIfAbsent(
              device.index(), _ -> devices.getStreamFromGlobalPool(device.pointer(), false).id());
      devices.synchronizeDevice((byte) device.index());
      streamBefore = devices.exchangeStream(stream(id)).id();
    }
    castsKept = torch.is_autocast_cache_enabled();
    torch.set_autocast_cache_enabled(false);
  }

  /** Makes the device and its side stream current, after all work that was queued before. */
  static SideStream enter(Device device) {
    return Tensor.call(() -> new SideStream(device));
  }

  @Override
  public void synchronize() {
    Tensor.call(
        () -> {
          devices.synchronizeDevice((byte) device.index());
          // what the runs before have left in this stream's cache would be of no use to any other
          torch.emptyCache();
          return null;
        });
  }

  @Override
  public void close() {
    torch.set_autocast_cache_enabled(castsKept);
    try (Scope _ = Scope.open("side-stream")) {
      devices.exchangeStream(stream(streamBefore));
      devices.setDevice(new Device(deviceBefore).pointer());
    }
  }

  private Stream stream(long id) {
    return Stream.unpack3(id, (byte) device.index(), DeviceType.CUDA);
  }
}
