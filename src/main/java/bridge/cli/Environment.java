package bridge.cli;

import bridge.Json;
import bridge.torch.Device;
import bridge.torch.Natives;
import com.google.gson.JsonObject;

/** Versions and hardware, as result files and run folders keep them. */
record Environment(
    String bridge,
    String libtorch,
    String java,
    String os,
    int processors,
    String device,
    int threads) {

  /** This process's, with its computing on {@code device}. */
  static JsonObject json(Device device) {
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
