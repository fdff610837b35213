package bridge.torch;

import org.bytedeco.pytorch.global.torch.ScalarType;

/** What a tensor's elements are. */
public enum DType {
  FLOAT32(ScalarType.Float, 4),
  FLOAT64(ScalarType.Double, 8),
  FLOAT16(ScalarType.Half, 2),
  BFLOAT16(ScalarType.BFloat16, 2),
  INT64(ScalarType.Long, 8),
  INT32(ScalarType.Int, 4),
  INT16(ScalarType.Short, 2),
  INT8(ScalarType.Char, 1),
  UINT8(ScalarType.Byte, 1),
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
