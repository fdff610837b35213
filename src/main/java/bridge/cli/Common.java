package bridge.cli;

import bridge.Json;
import bridge.UsageException;
import bridge.torch.Device;
import bridge.torch.Natives;
import com.google.gson.JsonObject;

/** What several commands share. */
final class Common {
  private Common() {}

  static void positive(String option, Number value) {
    if (value != null && value.longValue() < 1) {
      throw new UsageException(option + " must be 1 or more, found " + value);
    }
  }

  /** Versions and hardware. */
  private record Environment(
      String bridge,
      String libtorch,
      String java,
      String os,
      int processors,
      String device,
      int threads) {}

  /** Versions and hardware, for result files. */
  static JsonObject environment(Device device) {
    return Json.tree(
        new Environment(
            new Main.Version().getVersion()[0],
            Natives.version(),
            Runtime.version().toString(),
            System.getProperty("os.name") + " " + System.getProperty("os.version"),
            Runtime.getRuntime().availableProcessors(),
            device.toString(),
            Natives.threads()));
  }
}
