package bridge.torch;

import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.StringVectorOptional;
import org.bytedeco.pytorch.global.torch;

/** A TorchScript module's forward pass with everything inlined and all that is fixed computed. */
final class FrozenGraph {
  private FrozenGraph() {}

  static String text(JitModule module) {
    try (Scope _ = Scope.open("freeze");
        NoGrad _ = NoGrad.enter()) {
      JitModule copy = Tensor.call(() -> module.deepcopy());
      copy.train(false);
      distinguish(copy);
      return Tensor.call(
          () -> {
            JitModule frozen = torch.freeze(copy, new StringVectorOptional(), false);
            return frozen.get_method("forward").graph().toString();
          });
    }
  }

  /** Constants of equal value become one; weights that only began alike must not. */
  private static void distinguish(JitModule copy) {
    var parameters = copy.parameters(true);
    var parameter = parameters.begin();
    for (long i = 0; i < parameters.size(); i++) {
      randomise(parameter.access());
      parameter.increment();
    }
    var buffers = copy.buffers(true);
    var buffer = buffers.begin();
    for (long i = 0; i < buffers.size(); i++) {
      randomise(buffer.access());
      buffer.increment();
    }
  }

  private static void randomise(org.bytedeco.pytorch.Tensor tensor) {
    if (tensor.is_floating_point()) {
      tensor.normal_();
    }
  }
}
