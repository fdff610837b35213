package bridge.method.parts;

import bridge.architecture.BatchNorm2d;
import bridge.architecture.Init;
import bridge.architecture.Module;
import bridge.torch.Tensor;

/**
 * φ_k, which brings the student's feature to a teacher's width; trained with the student, discarded
 * at the end. PyTorch's default initialisation.
 */
public final class Head extends Module {
  /** What a head is made of, and on what it works. */
  public enum Kind {
    /** A linear layer on pooled vectors [N, d]. */
    LINEAR,
    /** The same, then batch normalisation. */
    LINEAR_BN,
    /** A 1×1 convolution and batch normalisation on maps [N, d, H, W]. */
    CONV_BN
  }

  private final Kind kind;
  private final Tensor weight;
  private final Tensor bias;
  private final BatchNorm2d normalisation;

  /**
   * @param in the width of the student's feature
   * @param out the width that is asked for
   */
  public Head(Kind kind, int in, int out, Init init) {
    this.kind = kind;
    boolean map = kind == Kind.CONV_BN;
    long[] shape = map ? new long[] {out, in, 1, 1} : new long[] {out, in};
    weight = parameter("weight", init.uniform(in, shape));
    bias = map ? null : parameter("bias", init.uniform(in, out));
    normalisation = kind == Kind.LINEAR ? null : child("bn", new BatchNorm2d(init, out));
  }

  @Override
  protected Tensor forward(Tensor feature) {
    Tensor out =
        kind == Kind.CONV_BN ? feature.conv2d(weight, null, 1, 0, 1) : feature.linear(weight, bias);
    return normalisation == null ? out : normalisation.apply(out);
  }
}
