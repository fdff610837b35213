package bridge.method;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * φ_k, which brings the student's feature to a teacher's width; trained with the student, discarded
 * at the end. PyTorch's default initialisation.
 */
final class Head {
  /** What a head is made of, and on what it works. */
  enum Kind {
    /** A linear layer on pooled vectors [N, d]. */
    LINEAR,
    /** The same, then batch normalisation. */
    LINEAR_BN,
    /** A 1×1 convolution and batch normalisation on maps [N, d, H, W]. */
    CONV_BN
  }

  private static final double MOMENTUM = 0.1;
  private static final double EPS = 1e-5;

  private final Kind kind;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> buffers = new LinkedHashMap<>();

  Head(Kind kind, long from, long to, Generator generator, Device device, DType type) {
    this.kind = kind;
    double bound = 1 / Math.sqrt(from);
    long[] shape = kind == Kind.CONV_BN ? new long[] {to, from, 1, 1} : new long[] {to, from};
    Tensor weight = Tensor.empty(type, device, shape).uniform_(-bound, bound, generator);
    parameters.put("weight", weight);
    if (kind != Kind.CONV_BN) {
      parameters.put("bias", Tensor.empty(type, device, to).uniform_(-bound, bound, generator));
    }
    if (kind != Kind.LINEAR) {
      parameters.put("bn.weight", Tensor.full(1, type, device, to));
      parameters.put("bn.bias", Tensor.zeros(type, device, to));
      buffers.put("bn.running_mean", Tensor.zeros(type, device, to));
      buffers.put("bn.running_var", Tensor.full(1, type, device, to));
    }
    parameters.values().forEach(p -> p.requiresGrad_(true));
  }

  Map<String, Tensor> parameters() {
    return parameters;
  }

  Map<String, Tensor> buffers() {
    return buffers;
  }

  Tensor apply(Tensor feature) {
    Tensor weight = parameters.get("weight");
    Tensor out =
        kind == Kind.CONV_BN
            ? feature.conv2d(weight, null, 1, 0, 1)
            : feature.linear(weight, parameters.get("bias"));
    if (kind == Kind.LINEAR) {
      return out;
    }
    return out.batchNorm(
        parameters.get("bn.weight"),
        parameters.get("bn.bias"),
        buffers.get("bn.running_mean"),
        buffers.get("bn.running_var"),
        true,
        MOMENTUM,
        EPS);
  }
}
