package bridge.torch;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The functions of {@code jni/bridge_cuda_graph.h}: CUDA graphs, with what libtorch throws as a
 * {@link NativeException}. Presets do not bind them, and calling libtorch's own symbols from Java
 * would end the process at the first C++ exception.
 */
final class GraphShim {
  private static final int ABI = 1;

  private static final FunctionDescriptor TEXT = FunctionDescriptor.of(ValueLayout.ADDRESS);

  private final MethodHandle create = function("create", ValueLayout.ADDRESS);
  private final MethodHandle captureBegin = function("capture_begin", ValueLayout.ADDRESS);
  private final MethodHandle captureEnd = function("capture_end", ValueLayout.ADDRESS);
  private final MethodHandle replay = function("replay", ValueLayout.ADDRESS);
  private final MethodHandle destroy =
      downcall("destroy", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
  private final MethodHandle error = downcall("error_borrow", TEXT);

  private GraphShim() {}

  /**
   * Loads it, with every symbol that it needs of libtorch's CUDA library, which must be loaded.
   *
   * @param libtorch the version that is loaded: the shim is made for one, whose objects it places
   * @throws NativeException saying which library or symbol is missing, or which version does not
   *     fit
   */
  @SuppressWarnings("restricted") // the library is this program's own
  static GraphShim load(Path library, String libtorch) {
    try {
      System.load(library.toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError e) {
      throw new NativeException(
          "the shim for CUDA graphs cannot be loaded: " + e.getMessage().strip(), e);
    }
    int abi = (int) invoke(downcall("abi", FunctionDescriptor.of(ValueLayout.JAVA_INT)));
    String made = text(downcall("libtorch_borrow", TEXT));
    if (abi != ABI || !made.equals(libtorch)) {
      throw new NativeException(
          "the shim for CUDA graphs is version %d for libtorch %s, needed is %d for %s; build anew"
              .formatted(abi, made, ABI, libtorch),
          null);
    }
    return new GraphShim();
  }

  /** Which compiler built it. */
  String compiler() {
    return text(downcall("compiler_borrow", TEXT));
  }

  /** An empty graph, to be {@link #destroy}ed. */
  MemorySegment create() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment made = arena.allocate(ValueLayout.ADDRESS);
      call(create, made);
      return made.get(ValueLayout.ADDRESS, 0);
    }
  }

  void captureBegin(MemorySegment graph) {
    call(captureBegin, graph);
  }

  void captureEnd(MemorySegment graph) {
    call(captureEnd, graph);
  }

  void replay(MemorySegment graph) {
    call(replay, graph);
  }

  void destroy(MemorySegment graph) {
    invoke(destroy, graph);
  }

  private void call(MethodHandle function, MemorySegment argument) {
    if ((int) invoke(function, argument) != 0) {
      throw NativeException.of(new IllegalStateException(text(error)));
    }
  }

  private static MethodHandle function(String name, ValueLayout argument) {
    return downcall(name, FunctionDescriptor.of(ValueLayout.JAVA_INT, argument));
  }

  @SuppressWarnings("restricted") // the descriptors are those of the header
  private static MethodHandle downcall(String name, FunctionDescriptor descriptor) {
    MemorySegment address = SymbolLookup.loaderLookup().findOrThrow("bridge_cuda_graph_" + name);
    return Linker.nativeLinker().downcallHandle(address, descriptor);
  }

  @SuppressWarnings("restricted") // the shim ends its texts with 0
  private static String text(MethodHandle function) {
    return ((MemorySegment) invoke(function)).reinterpret(Long.MAX_VALUE).getString(0);
  }

  private static Object invoke(MethodHandle function, Object... arguments) {
    try {
      return function.invokeWithArguments(arguments);
    } catch (Error | RuntimeException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a function of C threw", e);
    }
  }
}
