package bridge.torch;

import org.bytedeco.pytorch.global.torch.ScalarType;

/** What a tensor's elements are. */
public enum DType {
  /** What networks train in. */
  FLOAT32(ScalarType.Float, 4),
  /** Twice the precision, for comparisons. */
  FLOAT64(ScalarType.Double, 8),
  /** Half precision with 5 bits of exponent. */
  FLOAT16(ScalarType.Half, 2),
  /** Half precision with float32's 8 bits of exponent. */
  BFLOAT16(ScalarType.BFloat16, 2),
  /** Labels and indices. */
  INT64(ScalarType.Long, 8),
  /** Whole numbers of 32 bits. */
  INT32(ScalarType.Int, 4),
  /** Whole numbers of 16 bits. */
  INT16(ScalarType.Short, 2),
  /** Whole numbers from −128 to 127. */
  INT8(ScalarType.Char, 1),
  /** Bytes from 0 to 255: images in files. */
  UINT8(ScalarType.Byte, 1),
  /** True or false, a byte each: masks. */
  BOOL(ScalarType.Bool, 1);

  final ScalarType scalar;
  private final int bytes;

  DType(ScalarType scalar, int bytes) {
    this.scalar = scalar;
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether elements have fractions, in any precision. */
  public boolean isFloatingPoint() {
    return this == FLOAT32 || this == FLOAT64 || this == FLOAT16 || this == BFLOAT16;
  }

  static DType of(ScalarType scalar) {
    for (DType d : values()) {
      if (d.scalar.value == scalar.value) {
        return d;
      }
    }
    throw new IllegalArgumentException("no element type of ours is libtorch's " + scalar);
  }
}
