package bridge.torch;

import org.bytedeco.pytorch.global.torch;

/**
 * How libtorch computes, in the whole process.
 *
 * @param benchmark on CUDA, whether cuDNN tries its algorithms for each new shape and keeps the
 *     fastest ({@code torch.backends.cudnn.benchmark}); which it keeps may differ from run to run,
 *     and with it the last bits
 * @param deterministic on CUDA, whether algorithms that add in any order are left out where there
 *     are others ({@code torch.backends.cudnn.deterministic}, {@code
 *     torch.use_deterministic_algorithms} with {@code warn_only}): slower, and the same bits in
 *     every run on the same device
 */
public record Backend(ComputePrecision precision, boolean benchmark, boolean deterministic) {
  /** What cuBLAS needs to be deterministic; read when it is first used. */
  private static final String WORKSPACE = "CUBLAS_WORKSPACE_CONFIG";

  /** Float32, cuDNN's first choice. */
  public static final Backend PLAIN = new Backend(ComputePrecision.FLOAT32, false, false);

  /**
   * From now on libtorch computes so; to be called before the first operation. On the processor
   * nothing changes: it computes in float32, and the same in every run, in any case.
   */
  public void use(Device device) {
    Natives.load();
    allowTf32(precision.allowsTf32());
    if (!device.isCuda()) {
      return;
    }
    var context = torch.globalContext();
    context.setBenchmarkCuDNN(benchmark);
    context.setDeterministicCuDNN(deterministic);
    context.setDeterministicAlgorithms(deterministic, true);
    context.setDeterministicFillUninitializedMemory(
        false); // nothing here reads what it has not set
    if (deterministic) {
      CLibrary.setEnvironment(WORKSPACE, ":4096:8");
    }
  }

  /** Of convolutions and of products; libtorch begins with the former allowed. */
  static void allowTf32(boolean on) {
    torch.globalContext().setAllowTF32CuDNN(on);
    torch.globalContext().setAllowTF32CuBLAS(on);
  }

  /** What of this has no effect on a device, in words; empty where all has. */
  public String withoutEffect(Device device) {
    if (device.isCuda()) {
      return "";
    }
    String tf32 = precision == ComputePrecision.TF32 ? "precision TF32" : "";
    String cuda = benchmark || deterministic ? "cuda.benchmark and cuda.deterministic" : "";
    return tf32.isEmpty() || cuda.isEmpty() ? tf32 + cuda : tf32 + ", " + cuda;
  }
}
