package bridge.evaluate;

import bridge.data.Batch;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.Optional;

/**
 * The images of a batch that are attacked.
 *
 * @param images [M, C, H, W]
 * @param labels int64 [M]
 * @param rows their places in the batch, int64 [M]; empty where they are the whole batch
 */
record SubBatch(Tensor images, Tensor labels, Optional<Tensor> rows) {

  static SubBatch of(Batch batch, int[] places) {
    if (places.length == batch.labels().size(0)) {
      return new SubBatch(batch.images(), batch.labels(), Optional.empty());
    }
    long[] rows = Arrays.stream(places).asLongStream().toArray();
    Tensor index = Tensor.of(rows, rows.length).to(batch.images().device());
    return new SubBatch(
        batch.images().indexSelect(0, index),
        batch.labels().indexSelect(0, index),
        Optional.of(index));
  }

  /**
   * Puts what was made of them into their places.
   *
   * @param batch the whole batch's images, on the processor
   * @param adversarial one for each that was attacked
   * @param replaced 1 where it is put there, 0 where the batch's stays
   */
  void put(Tensor batch, Tensor adversarial, long[] replaced) {
    Tensor mask = Tensor.of(replaced, replaced.length, 1, 1, 1).gt(0);
    Tensor perturbed = adversarial.to(Device.CPU);
    if (rows.isEmpty()) {
      batch.copy_(mask.where(perturbed, batch));
    } else {
      Tensor index = rows.get().to(Device.CPU);
      batch.indexCopy_(0, index, mask.where(perturbed, batch.indexSelect(0, index)));
    }
  }
}
