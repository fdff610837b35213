package bridge.evaluate;

import bridge.data.Batch;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.Optional;

/** The work of one trial on one batch. */
interface BatchWork {
  /** What stands for the images that the trial leaves alone, [N, C, H, W]. */
  Tensor unchanged(Batch batch);

  /**
   * Does it, in the innermost scope.
   *
   * @param images a copy of {@link #unchanged} on the processor, overwritten where an image was
   *     changed; empty where nobody wants them
   */
  BatchResult run(Batch batch, Optional<Tensor> images);

  /** {@link #unchanged}, to be overwritten. */
  default Tensor copy(Batch batch) {
    return unchanged(batch).to(Device.CPU).copy();
  }
}
