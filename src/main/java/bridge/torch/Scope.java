package bridge.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;

/**
 * The lifetime of native tensors: all that is made while a scope is the innermost one of its thread
 * is freed when the scope closes. The garbage collector does not see tensor memory, so it plays no
 * part.
 *
 * <p>A run has one scope for parameters, buffers and optimiser state; each optimiser step opens one
 * inside it, each attack step one inside that. A tensor outlives its scope only by {@link #keep}.
 * Scopes belong to one thread and close in reverse order.
 *
 * <pre>{@code
 * try (Scope step = Scope.open("step")) {
 *   Tensor loss = ...;
 *   return step.keep(loss); // now the outer scope's
 * }
 * }</pre>
 */
public final class Scope implements AutoCloseable {
  private static final ThreadLocal<Scope> INNERMOST = new ThreadLocal<>();

  private final String name;
  private final Scope outer;
  private final Thread thread;
  private final PointerScope pointers;
  private final List<Runnable> unfinished = new ArrayList<>();
  private boolean closed;

  private Scope(String name) {
    Natives.load();
    this.name = name;
    this.outer = INNERMOST.get();
    this.thread = Thread.currentThread();
    this.pointers = new PointerScope();
    INNERMOST.set(this);
  }

  /** Opens a scope inside this thread's innermost one. */
  public static Scope open(String name) {
    return new Scope(name);
  }

  /**
   * Moves a tensor to the scope around this one.
   *
   * @return the tensor itself
   * @throws IllegalStateException if there is no outer scope, or this one is closed
   */
  public Tensor keep(Tensor tensor) {
    check();
    if (outer == null) {
      throw new IllegalStateException("scope " + name + " has no outer scope to keep a tensor in");
    }
    return outer.adopt(tensor);
  }

  /** Makes this scope, which need not be the innermost, an owner of the tensor as well. */
  public Tensor adopt(Tensor tensor) {
    check();
    pointers.attach(tensor.pointer);
    return tensor;
  }

  /** As {@link #adopt(Tensor)}, for native objects that are no tensors. */
  <P extends Pointer> P adopt(P pointer) {
    check();
    pointers.attach(pointer);
    return pointer;
  }

  /** This thread's innermost scope, the owner of what is made now. */
  public static Scope innermost() {
    require();
    return INNERMOST.get();
  }

  /** How many native objects are alive in the whole process: equal before and after, no leak. */
  public static long alive() {
    return Pointer.totalCount();
  }

  /** Fails early where a tensor would have no owner. */
  static void require() {
    if (INNERMOST.get() == null) {
      throw new IllegalStateException(
          "no Scope is open on thread " + Thread.currentThread().getName());
    }
  }

  private void check() {
    if (closed) {
      throw new IllegalStateException("scope " + name + " is already closed");
    }
    if (Thread.currentThread() != thread) {
      throw new IllegalStateException(
          "scope %s belongs to thread %s, used on %s"
              .formatted(name, thread.getName(), Thread.currentThread().getName()));
    }
  }

  /** Frees what the scope owns; a second call does nothing. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    check();
    if (INNERMOST.get() != this) {
      throw new IllegalStateException(
          "scope %s closes before %s, which was opened inside it"
              .formatted(name, INNERMOST.get().name));
    }
    finish();
    closed = true;
    if (outer == null) {
      INNERMOST.remove();
    } else {
      INNERMOST.set(outer);
    }
    pointers.close();
  }

  /** What must have ended before anything is freed; whoever wanted its result knows its errors. */
  void beforeClosing(Runnable end) {
    check();
    unfinished.add(end);
  }

  private void finish() {
    for (Runnable end : unfinished) {
      try {
        end.run();
      } catch (RuntimeException | Error e) {
        // given to whoever waited for the result
      }
    }
  }

  @Override
  public String toString() {
    return outer == null ? name : outer + "/" + name;
  }
}
