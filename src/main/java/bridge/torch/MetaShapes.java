package bridge.torch;

import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Stand-ins on the meta device for operations that libtorch has there from Python only: a result of
 * the right shape, type and device, and gradients of the right shapes to all that it is made of.
 *
 * <p>As on a real device, operands elsewhere are refused.
 */
final class MetaShapes {
  private MetaShapes() {}

  /**
   * A result of this shape made of these operands, of the first one's type; null ones count not.
   */
  static Tensor of(long[] shape, Tensor... operands) {
    Tensor sum = null;
    for (Tensor operand : operands) {
      if (operand == null) {
        continue;
      }
      require(operand);
      Tensor term = operand.sum().to(operands[0].scalar_type());
      sum = sum == null ? term : sum.add(term);
    }
    return sum.expand(shape).clone(new MemoryFormatOptional());
  }

  /** The shape of what two operands make element by element. */
  static long[] broadcast(long[] a, long[] b) {
    long[] longer = (a.length >= b.length ? a : b).clone();
    long[] shorter = a.length >= b.length ? b : a;
    int offset = longer.length - shorter.length;
    for (int i = 0; i < shorter.length; i++) {
      longer[offset + i] = longer[offset + i] == 1 ? shorter[i] : longer[offset + i];
    }
    return longer;
  }

  /** How many places a window of this size has along a length. */
  static long places(long length, long kernel, long stride, long padding) {
    return (length + 2 * padding - kernel) / stride + 1;
  }

  /** As any operation that has operands on the processor and elsewhere. */
  static void require(Tensor operand) {
    if (!operand.is_meta()) {
      throw new NativeException(
          "libtorch: Expected all tensors to be on the same device, but found at least two devices,"
              + " meta and cpu!",
          null);
    }
  }
}
