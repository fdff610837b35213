package bridge.cli;

import bridge.BridgeException;
import bridge.Json;
import bridge.data.DataSpec;
import bridge.data.Split;
import bridge.files.Reason;
import bridge.launch.CudaLibraries;
import bridge.torch.CudaGraph;
import bridge.torch.Device;
import bridge.torch.Natives;
import com.google.gson.annotations.SerializedName;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Looks at all that a run needs, and says for each missing thing what to do. */
@Command(
    name = "doctor",
    sortOptions = false,
    description = "Checks JDK, natives, CUDA, memory and data, each with its remedy.")
final class DoctorCommand implements Callable<Integer> {
  /** What the natives take when unpacked: 360 MB and 870 MB, and some room. */
  private static final long CPU_BYTES = 450_000_000;

  private static final long CUDA_BYTES = 1_000_000_000;

  /** Below this a run on the processor is likely to swap. */
  private static final long LITTLE_MEMORY = 2L << 30;

  private static final int JAVA = 25;

  private enum State {
    @SerializedName("ok")
    OK("ok"),
    /** Not there, and most do without. */
    @SerializedName("optional")
    OPTIONAL("--"),
    @SerializedName("failed")
    FAILED("NO");

    final String mark;

    State(String mark) {
      this.mark = mark;
    }
  }

  /**
   * One thing looked at.
   *
   * @param remedy empty where nothing is wrong
   */
  private record Finding(String subject, State state, String found, String remedy) {}

  @Option(names = "--json", description = "Prints the findings as JSON.")
  private boolean json;

  private final List<Finding> findings = new ArrayList<>();

  @Override
  public Integer call() {
    java();
    natives(cuda(CudaLibraries.needed(), CudaLibraries.search()));
    memory();
    folder();
    data();
    print();
    return failures() == 0 ? 0 : Main.FAILED;
  }

  private void note(String subject, boolean good, String found, String remedy) {
    findings.add(new Finding(subject, good ? State.OK : State.FAILED, found, good ? "" : remedy));
  }

  private long failures() {
    return findings.stream().filter(f -> f.state == State.FAILED).count();
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
  boolean cuda(boolean needed, List<CudaLibraries.Found> libraries) {
    if (!needed) {
      optional(
          "cuda",
          "not in this build, which runs on the processor",
          "for NVIDIA's GPUs build with: mvn -Pcuda package");
      return true;
    }
    for (CudaLibraries.Found library : libraries) {
      note(
          library.library(),
          !library.missing(),
          library.missing() ? "not found" : library.folder().toString(),
          "name its folder with --cuda-libs DIR, or: pip install " + library.pythonPackage());
    }
    return libraries.stream().noneMatch(CudaLibraries.Found::missing);
  }

  void natives(boolean loadable) {
    if (!loadable) {
      note("libtorch", false, "not tried", "first see to the libraries above");
      return;
    }
    try {
      Natives.load();
      String build = Natives.isCudaBuild() ? "CUDA" : "CPU";
      note("libtorch", true, "%s, %s build".formatted(Natives.version(), build), "");
      if (Natives.isCudaBuild()) {
        int devices = Device.cudaDevices();
        note(
            "cuda devices",
            devices > 0,
            String.valueOf(devices),
            "run nvidia-smi; if it fails too, install NVIDIA's driver");
      }
      graphs(CudaGraph.isBuilt(), CudaGraph.unavailable());
    } catch (BridgeException | LinkageError e) {
      note("libtorch", false, "does not load", e.getMessage().replace("; run bridge doctor", ""));
      unpacking();
    }
  }

  /** What is not built for CUDA at all is not missed, but whoever builds should know. */
  void graphs(boolean built, Optional<String> unavailable) {
    if (unavailable.isEmpty()) {
      note("cuda graphs", true, "can be captured", "");
    } else if (!built) {
      optional(
          "cuda graphs",
          "the program was built without, for want of g++",
          "install g++ and build it anew");
    } else if (Natives.isCudaBuild()) {
      optional("cuda graphs", unavailable.get(), "without them a run is slower, not otherwise");
    }
  }

  private void optional(String subject, String found, String remedy) {
    findings.add(new Finding(subject, State.OPTIONAL, found, remedy));
  }

  /** The commonest reason for which libtorch cannot be loaded. */
  private void unpacking() {
    Path existing = Natives.cache().toAbsolutePath();
    while (!Files.exists(existing)) {
      existing = existing.getParent();
    }
    long needed = Natives.isCudaBuild() ? CUDA_BYTES : CPU_BYTES;
    try {
      long free = Files.getFileStore(existing).getUsableSpace();
      note(
          "unpacking",
          Files.isDirectory(existing) && Files.isWritable(existing) && free > needed,
          "to %s, %s free".formatted(Natives.cache(), size(free)),
          "make it writable with %s free, or name another folder by".formatted(size(needed))
              + " java -Dorg.bytedeco.javacpp.cachedir=FOLDER -jar bridge.jar");
    } catch (IOException e) {
      Reason why = Reason.reading(e);
      note("unpacking", false, "to %s: %s".formatted(existing, why.what()), why.remedy());
    }
  }

  private void memory() {
    var os =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long total = os.getTotalMemorySize();
    note(
        "memory",
        total > LITTLE_MEMORY,
        "%s, of it at most %s for Java's heap"
            .formatted(size(total), size(Runtime.getRuntime().maxMemory())),
        "make batches smaller, for instance --set batch=32");
    note("processors", true, String.valueOf(Runtime.getRuntime().availableProcessors()), "");
  }

  private void folder() {
    Path here = Path.of("").toAbsolutePath();
    note("folder", Files.isWritable(here), here.toString(), "runs go elsewhere by --out DIR");
  }

  private void data() {
    String embedded = "fashion-mnist-mini";
    try {
      DataSpec.parse(embedded).load(Split.TEST).close();
      note(embedded, true, "embedded", "");
    } catch (BridgeException e) {
      note(embedded, false, e.getMessage(), "the program's file is damaged, get it anew");
    }
    String whole = "fashion-mnist";
    try {
      DataSpec spec = DataSpec.parse(whole);
      spec.load(Split.TEST).close();
      note(whole, true, spec.path().toString(), "");
    } catch (BridgeException e) {
      optional(
          whole,
          "not installed",
          "apt install dataset-fashion-mnist, or --set data=fashion-mnist:FOLDER");
    }
  }

  private static String size(long bytes) {
    return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }

  void print() {
    if (json) {
      System.out.println(Json.write(findings));
      return;
    }
    for (Finding f : findings) {
      System.out.printf("%s  %-19s %s%n", f.state.mark, f.subject, f.found);
      if (!f.remedy.isEmpty()) {
        System.out.printf("    %-19s → %s%n", "", f.remedy);
      }
    }
    System.out.println(
        failures() == 0
            ? "all that a run needs is here"
            : "to be mended: " + failures() + ", see NO above");
  }
}
