package bridge.torch;

import org.bytedeco.pytorch.GradMode;

/**
 * Inside it, this thread records no gradients; closing restores what was before.
 *
 * <pre>{@code
 * try (NoGrad _ = NoGrad.enter()) { ... }
 * }</pre>
 */
public final class NoGrad implements AutoCloseable {
  private final boolean before;

  private NoGrad() {
    Natives.load();
    before = GradMode.is_enabled();
    GradMode.set_enabled(false);
  }

  /** Switches recording off on this thread. */
  public static NoGrad enter() {
    return new NoGrad();
  }

  /** Whether this thread records none. */
  public static boolean isActive() {
    return !GradMode.is_enabled();
  }

  @Override
  public void close() {
    GradMode.set_enabled(before);
  }
}
