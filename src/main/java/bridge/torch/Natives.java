package bridge.torch;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.global.torch;

/**
 * Loads libtorch, once, before anything touches a class of the presets, and sets what is the same
 * for the whole process.
 */
public final class Natives {
  private static final System.Logger LOG = System.getLogger("bridge.natives");
  private static final String FOLDER = "/org/bytedeco/pytorch/linux-x86_64";

  private static volatile boolean loaded;

  private Natives() {}

  /**
   * Loads the native libraries; later calls return at once.
   *
   * @throws NativeException if they cannot be unpacked or loaded, with what to do
   */
  public static void load() {
    if (!loaded) {
      loadOnce();
    }
  }

  private static synchronized void loadOnce() {
    if (loaded) {
      return;
    }
    prepare();
    try {
      unpack();
      Loader.load(torch.class);
      LOG.log(Level.DEBUG, () -> "libtorch " + version() + (isCudaBuild() ? ", CUDA" : ", CPU"));
      Backend.allowTf32(false); // float32 means float32, on CUDA too
      loaded = true;
    } catch (IOException e) {
      throw new NativeException(
          "libtorch cannot be unpacked to %s: %s; free space or set -D%s=FOLDER"
              .formatted(cache(), e.getMessage(), "org.bytedeco.javacpp.cachedir"),
          e);
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      throw new NativeException(
          "libtorch cannot be loaded: %s; run bridge doctor".formatted(firstLine(e)), e);
    }
  }

  /** What must be set before the first class of the presets or the first library is loaded. */
  private static void prepare() {
    // JavaCPP counts memory it does not own; its limits would stop a run on a machine with room
    setDefault("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    setDefault("org.bytedeco.javacpp.maxBytes", "0");
    // libgomp reads these when it is loaded. Threads that spin for long while they wait for each
    // other are ruinous on a machine that others use too; those that never spin are slow where
    // nobody else is: see the page on performance for what each count costs in both cases
    if (System.getenv("OMP_WAIT_POLICY") == null) {
      CLibrary.setEnvironment("GOMP_SPINCOUNT", "3000");
    }
    // OpenBLAS has threads of its own, one per core, which no setting of libtorch reaches and which
    // always spin: beside other work a small network's step took three to eight times as long
    CLibrary.setEnvironment("OPENBLAS_NUM_THREADS", "1");
  }

  private static void setDefault(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  /**
   * With another libtorch on the system's library path, the first load crashed the JVM, because
   * {@code libtorch.so} was loaded before its own neighbours lay beside it. So they are all
   * unpacked first.
   */
  private static void unpack() throws IOException {
    String folder = FOLDER + (isCudaBuild() ? "-gpu" : "");
    Class<?> anchor = org.bytedeco.pytorch.presets.torch.class;
    for (String library :
        new String[] {
          "libgomp.so.1",
          "libc10.so",
          "libc10_cuda.so",
          "libtorch_cpu.so",
          "libtorch_cuda.so",
          "libtorch_cuda_linalg.so",
          "libtorch.so"
        }) {
      if (anchor.getResource(folder + "/" + library) != null) {
        Loader.cacheResource(anchor, folder + "/" + library);
      }
    }
  }

  /** Where the native libraries are unpacked. */
  public static Path cache() {
    String set = System.getProperty("org.bytedeco.javacpp.cachedir");
    return set != null
        ? Path.of(set)
        : Path.of(System.getProperty("user.home"), ".javacpp", "cache");
  }

  private static String firstLine(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
  }

  /** Whether the natives in this program are the CUDA ones; touches no native code. */
  public static boolean isCudaBuild() {
    return org.bytedeco.pytorch.presets.torch.class.getResource(FOLDER + "-gpu/libtorch.so")
        != null;
  }

  /** The version of libtorch, for instance {@code 2.10.0}. */
  public static String version() {
    try {
      return Loader.getVersion("org.bytedeco", "pytorch").replaceFirst("-.*", "");
    } catch (IOException e) {
      return "of unknown version";
    }
  }

  /** How many threads one operation may use. */
  public static int threads() {
    load();
    return torch.get_num_threads();
  }

  /** Sets how many threads one operation may use; results can depend on it in the last bits. */
  public static void setThreads(int threads) {
    load();
    // a thread's first question makes it take over the number that was set last on any other
    torch.get_num_threads();
    torch.set_num_threads(threads);
  }

  /** Seeds libtorch's default generators, which only modules of others (dropout) draw from. */
  public static void seedDefaults(long seed) {
    load();
    torch.manual_seed(seed);
  }

  /** Resident memory of the process in bytes. */
  public static long residentBytes() {
    return status("VmRSS:");
  }

  /** The most resident memory that the process had so far, in bytes. */
  public static long peakResidentBytes() {
    return status("VmHWM:");
  }

  private static long status(String line) {
    try {
      String found =
          Files.readAllLines(Path.of("/proc/self/status")).stream()
              .filter(l -> l.startsWith(line))
              .findFirst()
              .orElse(line + " 0 kB");
      return Long.parseLong(found.replaceAll("\\D+", "")) * 1024;
    } catch (IOException e) {
      return Pointer.physicalBytes();
    }
  }
}
