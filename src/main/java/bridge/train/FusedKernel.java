package bridge.train;

import bridge.torch.Device;
import bridge.torch.ScriptFunction;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * One of libtorch's fused optimiser steps, which change all parameters in one call instead of a few
 * kernels each ({@code torch._fused_sgd_}, {@code torch._fused_adamw_}).
 *
 * <p>On the processor they give the same bits as the plain operations but for what is left over
 * when a tensor is cut into vectors, which other rounding befalls. So there they take the tensors
 * that leave nothing over, and the optimiser's own loop the others; on CUDA they take all.
 */
final class FusedKernel {
  /** A multiple of every processor's vectors, and of the pieces that threads take. */
  private static final long PIECE = 64;

  private final ScriptFunction function;
  private final List<List<Tensor>> columns = new ArrayList<>();

  /**
   * @param columns how many lists of tensors it takes, the parameters first
   * @param source TorchScript of a function {@code step} of these lists and further arguments
   */
  FusedKernel(int columns, String source) {
    function = ScriptFunction.compile("step", source);
    for (int i = 0; i < columns; i++) {
      this.columns.add(new ArrayList<>());
    }
  }

  /**
   * Takes a parameter and what belongs to it into the next {@link #run}, one tensor per list, all
   * laid out alike in memory; false if it is one for the loop.
   */
  boolean takes(Tensor... row) {
    Tensor parameter = row[0];
    Device device = parameter.device();
    if (!device.isCuda() && (!device.equals(Device.CPU) || parameter.numel() % PIECE != 0)) {
      return false;
    }
    for (int i = 0; i < row.length; i++) {
      columns.get(i).add(row[i]);
    }
    return true;
  }

  /** Changes all that was taken, and forgets the parameters' gradients. */
  void run(Object... further) {
    if (!columns.get(0).isEmpty()) {
      List<Object> arguments = new ArrayList<>(columns);
      arguments.addAll(List.of(further));
      function.call(arguments);
      columns.get(0).forEach(Tensor::clearGrad);
    }
    columns.forEach(List::clear);
  }
}
