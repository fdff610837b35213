package bridge.data;

import bridge.torch.Tensor;

/**
 * One step's images. The tensors belong to the scope in which they were handed out; on the
 * processor their storage is the pipeline's, filled anew after the next {@link
 * Batches.Epoch#next()}: copy what must live longer.
 *
 * @param images float [N, C, H, W] in [0, 1]
 * @param labels int64 [N]
 * @param indices of the images in their set
 * @param step of the epoch, from 0
 */
public record Batch(Tensor images, Tensor labels, int[] indices, int step) {}
