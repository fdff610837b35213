package bridge.cli;

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

  /** Versions and hardware, for result files. */
  static JsonObject environment(Device device) {
    JsonObject json = new JsonObject();
    json.addProperty("bridge", new Main.Version().getVersion()[0]);
    json.addProperty("libtorch", Natives.version());
    json.addProperty("java", Runtime.version().toString());
    json.addProperty("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    json.addProperty("processors", Runtime.getRuntime().availableProcessors());
    json.addProperty("device", device.toString());
    json.addProperty("threads", Natives.threads());
    return json;
  }
}
