package bridge.cli;

import bridge.torch.Device;
import bridge.torch.Natives;
import picocli.CommandLine.Option;

/** Where and with how many threads a command computes. */
final class ComputeOptions {
  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      description = "auto, cpu, cuda or cuda:INDEX (${DEFAULT-VALUE}).")
  private String device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of an operation on the processor (all cores).")
  private Integer threads;

  /** Refuses what cannot be, before anything is loaded. */
  void check() {
    OptionChecks.positive("--threads", threads);
  }

  /** Sets the threads and finds the device. */
  Device use() {
    Natives.setThreads(threads == null ? Runtime.getRuntime().availableProcessors() : threads);
    return Device.parse(device);
  }
}
