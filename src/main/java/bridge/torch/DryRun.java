package bridge.torch;

/**
 * While one is open, this thread neither copies from the processor to the meta device ({@link
 * Device#META}) nor the other way. There nothing is computed, so that work that is done to its end
 * neither waited for a device nor handed it what was made on the processor: both would hold up a
 * real one.
 *
 * <pre>{@code
 * try (DryRun _ = DryRun.begin()) { ... }
 * }</pre>
 */
public final class DryRun implements AutoCloseable {
  private static final ThreadLocal<DryRun> CURRENT = new ThreadLocal<>();

  private final DryRun before = CURRENT.get();

  private DryRun() {
    CURRENT.set(this);
  }

  public static DryRun begin() {
    return new DryRun();
  }

  static void check(Device from, Device to) {
    if (CURRENT.get() != null && (from.equals(Device.META) || to.equals(Device.META))) {
      throw new NativeException(
          "a dry run copies nothing between devices, found a copy from %s to %s"
              .formatted(from, to),
          null);
    }
  }

  @Override
  public void close() {
    CURRENT.set(before);
  }
}
