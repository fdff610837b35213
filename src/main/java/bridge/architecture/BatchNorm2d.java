package bridge.architecture;

import bridge.torch.Tensor;

/**
 * Batch normalisation over N, H, W. In training it uses the batch's own statistics and moves the
 * running ones by a tenth (the variance unbiased); in evaluation it uses these and changes nothing.
 */
public final class BatchNorm2d extends Module {
  /** How far a batch moves the running statistics: PyTorch's default. */
  public static final double MOMENTUM = 0.1;

  static final double EPS = 1e-5;

  private final Tensor weight;
  private final Tensor bias;
  private final Tensor runningMean;
  private final Tensor runningVar;
  private final Tensor batches;

  /** Weights 1, biases 0, running mean 0 and variance 1. */
  public BatchNorm2d(Init init, int channels) {
    weight = parameter("weight", init.constant(1, channels));
    bias = parameter("bias", init.constant(0, channels));
    runningMean = buffer("running_mean", init.constant(0, channels));
    runningVar = buffer("running_var", init.constant(1, channels));
    batches = buffer("num_batches_tracked", init.counter());
  }

  @Override
  protected Tensor forward(Tensor x) {
    if (training()) {
      batches.increment_();
    }
    return x.batchNorm(weight, bias, runningMean, runningVar, training(), MOMENTUM, EPS);
  }
}
