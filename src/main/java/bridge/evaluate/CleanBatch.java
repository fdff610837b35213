package bridge.evaluate;

import bridge.data.Batch;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.Optional;

/** A batch as it is. */
record CleanBatch(Network network) implements BatchWork {
  @Override
  public Tensor unchanged(Batch batch) {
    return batch.images();
  }

  @Override
  public BatchResult run(Batch batch, Optional<Tensor> images) {
    long startNanos = System.nanoTime();
    int[] predictions = Predictions.of(network, batch.images());
    double seconds = (System.nanoTime() - startNanos) / 1e9;
    return new BatchResult(predictions, new double[predictions.length], seconds, 0, 0, images);
  }
}
