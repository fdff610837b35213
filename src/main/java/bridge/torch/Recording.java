package bridge.torch;

/**
 * Shows somebody each operation that networks are made of, while it is open on this thread; so a
 * forward pass becomes a list of operators. Operations that are not shown give tensors that the
 * listener has never seen.
 */
public final class Recording implements AutoCloseable {

  /** Who is shown the operations. */
  @FunctionalInterface
  public interface Listener {
    /**
     * After an operation.
     *
     * @param operator PyTorch's name, without the underscore of those in place
     * @param result for an operation in place, the tensor that was changed, which may be among the
     *     arguments
     * @param arguments in PyTorch's order: tensors, lists of tensors, null for none, numbers,
     *     booleans, long[]
     */
    void operation(String operator, Tensor result, Object... arguments);
  }

  private static final ThreadLocal<Listener> CURRENT = new ThreadLocal<>();

  private Recording() {}

  /** Shows this thread's operations until closed. */
  public static Recording to(Listener listener) {
    if (CURRENT.get() != null) {
      throw new IllegalStateException("a recording is open on this thread already");
    }
    CURRENT.set(listener);
    return new Recording();
  }

  static Tensor note(Tensor result, String operator, Object... arguments) {
    Listener listener = CURRENT.get();
    if (listener != null) {
      listener.operation(operator, result, arguments);
    }
    return result;
  }

  @Override
  public void close() {
    CURRENT.remove();
  }
}
