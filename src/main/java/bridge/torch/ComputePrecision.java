package bridge.torch;

/**
 * In which numbers products and convolutions are computed while a student trains. Its weights,
 * their updates, logits and losses are float32 in each. How a frozen network's weights are held is
 * another matter: {@code bridge.model.Precision}.
 */
public enum ComputePrecision {
  /** Float32 throughout; on CUDA without TensorFloat-32, which libtorch uses if not told. */
  FLOAT32,
  /** On CUDA factors are rounded to 10 bits of fraction (TensorFloat-32); no effect elsewhere. */
  TF32,
  /**
   * Layers of the student compute in bfloat16, 7 bits of fraction, by PyTorch's autocast; what
   * stays in float32 is as in {@link #TF32}.
   */
  BFLOAT16;

  boolean allowsTf32() {
    return this != FLOAT32;
  }
}
