package bridge.torch;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/**
 * A process of its own in which {@code tests/jni/fake_libtorch_cuda.cpp} is the CUDA library: one
 * process can load only one of that name. Prints what came of it, line by line.
 *
 * <p>Arguments: the fake, or {@code none}; the shim; libtorch's version; the call to refuse, or
 * {@code none}.
 */
final class FakeCuda {
  private FakeCuda() {}

  @SuppressWarnings("restricted")
  public static void main(String[] args) throws Throwable {
    if (!args[0].equals("none")) {
      System.load(args[0]);
    }
    try {
      GraphShim shim = CudaGraph.load(Path.of(args[1]).toUri().toURL(), args[2]);
      System.out.println("compiler " + shim.compiler());
      refuse(args[3]);
      use(shim);
    } catch (NativeException e) {
      System.out.println("refused " + e.getMessage());
    }
    if (!args[0].equals("none")) {
      System.out.println("calls " + calls());
    }
    System.out.println("end");
  }

  private static void use(GraphShim shim) throws Throwable {
    try (CudaGraph graph = CudaGraph.capture(shim, FakeCuda::stage, () -> note("work"))) {
      graph.replay();
      graph.replay();
    } catch (NativeException e) {
      System.out.println("refused " + e.getMessage());
      note("again");
      refuse("none");
      CudaGraph again = CudaGraph.capture(shim, FakeCuda::stage, () -> note("work"));
      again.close();
      again.close();
      try {
        again.replay();
      } catch (IllegalStateException closed) {
        System.out.println("closed " + closed.getMessage());
      }
    }
  }

  private static CudaGraph.Stage stage() {
    note("enter");
    return new CudaGraph.Stage() {
      @Override
      public void synchronize() {
        note("synchronize");
      }

      @Override
      public void close() {
        note("leave");
      }
    };
  }

  /** Refused in Java, where a capture's own work is. */
  private static String refusedWork = "none";

  private static int works;

  private static void note(String call) {
    pass("fake_note", call);
    if (call.equals("work") && ++works == 4 && refusedWork.equals("work")) {
      throw new NativeException("libtorch: refused inside", null);
    }
  }

  private static void refuse(String call) {
    refusedWork = call;
    pass("fake_refuse", call.equals("work") ? "none" : call);
  }

  @SuppressWarnings("restricted")
  private static void pass(String function, String text) {
    try (Arena arena = Arena.ofConfined()) {
      Linker.nativeLinker()
          .downcallHandle(
              SymbolLookup.loaderLookup().findOrThrow(function),
              FunctionDescriptor.ofVoid(ValueLayout.ADDRESS))
          .invoke(arena.allocateFrom(text));
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @SuppressWarnings("restricted")
  private static String calls() throws Throwable {
    MemorySegment text =
        (MemorySegment)
            Linker.nativeLinker()
                .downcallHandle(
                    SymbolLookup.loaderLookup().findOrThrow("fake_calls"),
                    FunctionDescriptor.of(ValueLayout.ADDRESS))
                .invoke();
    return text.reinterpret(Long.MAX_VALUE).getString(0);
  }
}
