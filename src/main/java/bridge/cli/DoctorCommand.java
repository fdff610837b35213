package bridge.cli;

import bridge.data.DataSpec;
import bridge.launch.CudaLibraries;
import bridge.torch.Device;
import bridge.torch.Natives;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Looks at all that a run needs, and says for each missing thing what to do. */
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    description = "Checks JDK, natives, CUDA, memory and data, each with its remedy.")
final class DoctorCommand implements Callable<Integer> {
  /** What libtorch's natives take when unpacked. */
  private static final long NATIVES_BYTES = 450L << 20;

  /** Below this a run on the processor is likely to swap. */
  private static final long LITTLE_MEMORY = 2L << 30;

  private static final int JAVA = 25;

  /**
   * One thing looked at.
   *
   * @param remedy empty where nothing is wrong
   */
  private record Finding(String subject, boolean good, String found, String remedy) {}

  @Option(names = "--json", description = "Prints the findings as JSON.")
  private boolean json;

  private final List<Finding> findings = new ArrayList<>();

  @Override
  public Integer call() {
    java();
    boolean natives = cuda();
    unpacking();
    if (natives) {
      libtorch();
    }
    memory();
    data();
    print();
    return findings.stream().allMatch(Finding::good) ? 0 : 1;
  }

  private void note(String subject, boolean good, String found, String remedy) {
    findings.add(new Finding(subject, good, found, good ? "" : remedy));
  }

  private void java() {
    int version = Runtime.version().feature();
    note(
        "java",
        version >= JAVA,
        Runtime.version() + " in " + System.getProperty("java.home"),
        "install a JDK 25 or newer, or set BRIDGE_JAVA_HOME to one");
  }

  /** Says whether libtorch can be loaded at all: the CUDA build cannot without CUDA's libraries. */
  private boolean cuda() {
    if (!CudaLibraries.needed()) {
      note("cuda", true, "not used: this is the CPU build", "");
      return true;
    }
    List<CudaLibraries.Found> libraries = CudaLibraries.search();
    for (CudaLibraries.Found library : libraries) {
      boolean there = library.folder() != null;
      note(
          library.library(),
          there,
          there ? library.folder().toString() : "missing",
          CudaLibraries.remedy(List.of(library)));
    }
    return libraries.stream().allMatch(l -> l.folder() != null);
  }

  private void unpacking() {
    Path cache = Natives.cache();
    Path there = cache;
    while (there != null && !Files.exists(there)) {
      there = there.getParent();
    }
    try {
      long free = Files.getFileStore(there).getUsableSpace();
      boolean unpacked = Files.exists(cache);
      boolean good = Files.isWritable(there) && (unpacked || free > NATIVES_BYTES);
      note(
          "unpacking",
          good,
          "%s, %d MB free".formatted(cache, free >> 20),
          "make room for %d MB or set -Dorg.bytedeco.javacpp.cachedir=FOLDER"
              .formatted(NATIVES_BYTES >> 20));
    } catch (IOException e) {
      note("unpacking", false, cache + ": " + e.getMessage(), "choose another cachedir");
    }
  }

  private void libtorch() {
    try {
      Natives.load();
      note("libtorch", true, "%s, %d threads".formatted(Natives.version(), Natives.threads()), "");
      if (Natives.isCudaBuild()) {
        int devices = Device.cudaDevices();
        note(
            "cuda devices",
            devices > 0,
            String.valueOf(devices),
            "install NVIDIA's driver, or see nvidia-smi for why no device is there");
      }
    } catch (RuntimeException e) {
      note("libtorch", false, e.getMessage(), "send this line with the output of --debug");
    }
  }

  private void memory() {
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long total = os.getTotalMemorySize();
    note(
        "memory",
        total > LITTLE_MEMORY,
        "%d MB, Java heap up to %d MB"
            .formatted(total >> 20, Runtime.getRuntime().maxMemory() >> 20),
        "use a smaller batch (--set batch=32)");
    note("processors", true, String.valueOf(Runtime.getRuntime().availableProcessors()), "");
  }

  private void data() {
    for (String name : List.of("fashion-mnist-mini", "fashion-mnist")) {
      try {
        DataSpec.parse(name).load(bridge.data.Split.TEST).close();
        note("data " + name, true, "there", "");
      } catch (RuntimeException e) {
        boolean optional = name.equals("fashion-mnist");
        note("data " + name, optional, "not there: " + e.getMessage(), "reinstall the program");
      }
    }
  }

  private void print() {
    if (json) {
      JsonArray all = new JsonArray();
      for (Finding f : findings) {
        JsonObject one = new JsonObject();
        one.addProperty("subject", f.subject);
        one.addProperty("good", f.good);
        one.addProperty("found", f.found);
        one.addProperty("remedy", f.remedy);
        all.add(one);
      }
      System.out.println(new GsonBuilder().setPrettyPrinting().create().toJson(all));
      return;
    }
    for (Finding f : findings) {
      System.out.printf("%-4s %-20s %s%n", f.good ? "ok" : "NO", f.subject, f.found);
      if (!f.good) {
        System.out.printf("     %-20s → %s%n", "", f.remedy);
      }
    }
  }
}
