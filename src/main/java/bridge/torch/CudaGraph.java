package bridge.torch;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URL;
import java.util.Optional;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Loader;

/**
 * Work on a CUDA device that is recorded once and then run again and again by one call, instead of
 * one launch per kernel: at small batches the launches cost more than the kernels.
 *
 * <p>A replay does to the same addresses what the capture did. So
 *
 * <ul>
 *   <li>what changes between replays is copied into tensors that were there before the capture, and
 *       results are copied out of such; these, and the weights, must live as long as the graph, at
 *       their places (weights that an optimiser changes in place are read anew by each replay);
 *   <li>what the work allocates lies in a memory pool of the graph's own. It opens a {@link Scope},
 *       so that nothing made during the capture is used afterwards;
 *   <li>nothing inside may wait for the device ({@link Tensor#item}, {@link Tensor#nonzero}, a copy
 *       to the processor), branch on values, or draw random numbers;
 *   <li>what Java does inside happens at the capture and at no replay.
 * </ul>
 *
 * <p>Replays are queued on the current stream like any operation. A graph belongs to one thread.
 */
public final class CudaGraph implements AutoCloseable {
  private static final String LIBRARY = "libbridge_cuda_graph.so";

  /**
   * Before the capture: cuDNN and cuBLAS choose their kernels and allocate workspaces at first use,
   * and kernels are loaded then, which is not allowed inside.
   */
  private static final int WARM_UPS = 3;

  /** Where captures happen: entered, with all that must hold around one. */
  interface Stage extends AutoCloseable {
    /** Waits for the device, and gives back what memory no tensor has. */
    void synchronize();

    @Override
    void close();
  }

  /** The shim, or why there is none. */
  private record Loaded(GraphShim shim, String problem) {
    private static final Loaded HERE = load();
  }

  private final GraphShim shim;
  private MemorySegment graph;

  private CudaGraph(GraphShim shim) {
    this.shim = shim;
    graph = shim.create();
  }

  /** Why no graph can be captured here, in one line; empty if one can. Loads libtorch. */
  public static Optional<String> unavailable() {
    if (Device.cudaDevices() == 0) {
      return Optional.of(
          Natives.isCudaBuild() ? "no CUDA device was found" : "this is the CPU build");
    }
    return Optional.ofNullable(Loaded.HERE.problem);
  }

  /** Whether this program was built with what graphs need; touches no native code. */
  public static boolean isBuilt() {
    return CudaGraph.class.getResource(LIBRARY) != null;
  }

  private static Loaded load() {
    try {
      return new Loaded(load(CudaGraph.class.getResource(LIBRARY), Natives.version()), null);
    } catch (NativeException e) {
      return new Loaded(null, e.getMessage());
    }
  }

  /** The shim from where it is shipped; null stands for one that was not built. */
  static GraphShim load(URL library, String libtorch) {
    if (library == null) {
      throw new NativeException("the program was built without them, for want of g++", null);
    }
    try {
      return GraphShim.load(Loader.cacheResource(library).toPath(), libtorch);
    } catch (IOException e) {
      throw new NativeException("%s cannot be unpacked: %s".formatted(LIBRARY, e.getMessage()), e);
    }
  }

  /**
   * Records work. It is run {@value #WARM_UPS} times for real before it is recorded: what it
   * changes in place has then changed as often.
   *
   * @throws NativeException if libtorch or CUDA refuse something in the work, or there are no
   *     graphs here; afterwards the device works as before
   */
  public static CudaGraph capture(Device device, Runnable work) {
    unavailable()
        .ifPresent(
            why -> {
              throw new NativeException("there are no CUDA graphs here: " + why, null);
            });
    return capture(Loaded.HERE.shim, () -> SideStream.enter(device), work);
  }

  static CudaGraph capture(GraphShim shim, Supplier<Stage> enter, Runnable work) {
    try (Stage stage = enter.get()) {
      for (int i = 0; i < WARM_UPS; i++) {
        work.run();
      }
      stage.synchronize();
      CudaGraph made = new CudaGraph(shim);
      try {
        made.record(work);
      } catch (RuntimeException | Error e) {
        made.close();
        throw e;
      }
      return made;
    }
  }

  private void record(Runnable work) {
    shim.captureBegin(graph);
    try {
      work.run();
    } catch (RuntimeException | Error e) {
      try {
        shim.captureEnd(graph); // else this stream would go on recording
      } catch (NativeException spoilt) {
        e.addSuppressed(spoilt);
      }
      throw e;
    }
    shim.captureEnd(graph);
  }

  /**
   * Runs what was recorded; does not wait for it.
   *
   * @throws NativeException if CUDA refuses
   */
  public void replay() {
    shim.replay(open());
  }

  /**
   * Gives up what was recorded and its memory, and is of no more use; a second call does nothing.
   */
  @Override
  public void close() {
    if (graph != null) {
      MemorySegment gone = graph;
      graph = null;
      shim.destroy(gone);
    }
  }

  private MemorySegment open() {
    if (graph == null) {
      throw new IllegalStateException("this graph is already closed");
    }
    return graph;
  }
}
