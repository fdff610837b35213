package bridge.torch;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.time.Duration;
import java.util.Optional;

/**
 * Ends this process when the launcher that started it is killed, so that no training runs on
 * unseen.
 */
public final class ParentDeath {
  private static final int PR_SET_PDEATHSIG = 1;
  private static final long SIGKILL = 9;
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(500);

  private ParentDeath() {}

  /**
   * From now on this process dies with its parent. To be called by a thread that lives as long as
   * the process: the kernel forgets the wish when that thread ends.
   *
   * @param pid the parent, which may be dead already
   */
  public static void dieWithParent(long pid) {
    boolean asked = askKernel();
    boolean ours = ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(-1L) == pid;
    if (!(asked && ours)) {
      // No kernel that does it, a script in between, or the parent died before the kernel was
      // asked.
      watch(pid);
    }
  }

  private static boolean askKernel() {
    Optional<MethodHandle> prctl =
        downcall(
            "prctl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG));
    if (prctl.isEmpty()) {
      return false;
    }
    try {
      return (int) prctl.get().invokeExact(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) == 0;
    } catch (Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("prctl threw", e);
    }
  }

  private static void watch(long pid) {
    Thread.ofPlatform()
        .daemon()
        .name("parent-watch")
        .start(
            () -> {
              while (ProcessHandle.of(pid).isPresent()) {
                try {
                  Thread.sleep(BETWEEN_LOOKS);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                  return;
                }
              }
              Runtime.getRuntime().halt(137);
            });
  }

  /** Empty where native access is refused or the C library has no such function. */
  @SuppressWarnings("restricted")
  private static Optional<MethodHandle> downcall(String name, FunctionDescriptor descriptor) {
    try {
      Linker linker = Linker.nativeLinker();
      Optional<MemorySegment> address = linker.defaultLookup().find(name);
      // The C function is variadic, which callers must say: the first argument is the only fixed
      // one.
      return address.map(
          function ->
              linker.downcallHandle(function, descriptor, Linker.Option.firstVariadicArg(1)));
    } catch (IllegalCallerException | UnsupportedOperationException e) {
      return Optional.empty();
    }
  }
}
