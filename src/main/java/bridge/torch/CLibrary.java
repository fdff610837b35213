package bridge.torch;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** The three calls of the C library that Java lacks; without native access they do nothing. */
final class CLibrary {
  private static final int PR_SET_PDEATHSIG = 1;

  private CLibrary() {}

  /** Asks the kernel to send a signal to this process when its parent's thread ends. */
  static boolean signalOnParentDeath(long signal) {
    Optional<MethodHandle> prctl =
        downcall(
            "prctl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG),
            // variadic, which callers must say: the first argument is the only fixed one
            Linker.Option.firstVariadicArg(1));
    try {
      return prctl.isPresent()
          && (int) prctl.get().invokeExact(PR_SET_PDEATHSIG, signal, 0L, 0L, 0L) == 0;
    } catch (Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("prctl threw", e);
    }
  }

  /** Sets a variable of this process's environment for native code, unless the user has set it. */
  static void setEnvironment(String name, String value) {
    Optional<MethodHandle> setenv =
        downcall(
            "setenv",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
    if (setenv.isEmpty()) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      // the C library copies both texts
      int failed =
          (int) setenv.get().invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 0);
      assert failed == 0 : "setenv refused " + name;
    } catch (Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("setenv threw", e);
    }
  }

  /**
   * Replaces this process by another program; returns where the system refuses.
   *
   * @param command the executable's path, then its arguments, in ISO 8859-1
   */
  static void execute(List<String> command) {
    Optional<MethodHandle> execv =
        downcall(
            "execv",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    if (execv.isEmpty()) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment words = arena.allocate(ValueLayout.ADDRESS, command.size() + 1L);
      for (int i = 0; i < command.size(); i++) {
        words.setAtIndex(
            ValueLayout.ADDRESS,
            i,
            arena.allocateFrom(command.get(i), StandardCharsets.ISO_8859_1));
      }
      MemorySegment program = words.getAtIndex(ValueLayout.ADDRESS, 0);
      int refused = (int) execv.get().invokeExact(program, words);
      assert refused == -1 : "execv returned " + refused;
    } catch (Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("execv threw", e);
    }
  }

  /** Empty where native access is refused or the C library has no such function. */
  @SuppressWarnings("restricted")
  private static Optional<MethodHandle> downcall(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    try {
      Linker linker = Linker.nativeLinker();
      Optional<MemorySegment> address = linker.defaultLookup().find(name);
      return address.map(function -> linker.downcallHandle(function, descriptor, options));
    } catch (IllegalCallerException | UnsupportedOperationException e) {
      return Optional.empty();
    }
  }
}
