package bridge.torch;

import java.util.ArrayList;
import java.util.List;

/**
 * Tensors that stay from batch to batch, whatever becomes of the scopes they were made in, until
 * this is closed: for what neither a step nor the whole run should own.
 */
public final class Kept implements AutoCloseable {
  private final List<Tensor> tensors = new ArrayList<>();

  /**
   * Becomes an owner of the tensor as well.
   *
   * @return the tensor itself
   */
  public Tensor keep(Tensor tensor) {
    tensor.pointer.retainReference();
    tensors.add(tensor);
    return tensor;
  }

  /** Lets go of all of them; a second call does nothing. */
  @Override
  public void close() {
    tensors.forEach(tensor -> tensor.pointer.releaseReference());
    tensors.clear();
  }
}
