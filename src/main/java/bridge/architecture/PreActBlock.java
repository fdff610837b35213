package bridge.architecture;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A residual block with pre-activation (He et al. 2016, "Identity Mappings in Deep Residual
 * Networks"): normalise, activate and convolve, twice 3×3 or as a bottleneck of 1×1, 3×3 and 1×1
 * that ends four times as wide; then the input added, projected where its shape changes.
 */
final class PreActBlock extends Module {

  /**
   * Where the public definitions differ.
   *
   * @param names of normalisation, activation and convolution, two or (the bottleneck) three times
   * @param projectsActivated whether the projection sees the activated input, not the input itself
   */
  record Style(
      List<String> names,
      UnaryOperator<Tensor> activation,
      Convolution convolution,
      String shortcut,
      Convolution projection,
      boolean projectsActivated) {

    private int convolutions() {
      return names.size() / 3;
    }

    /** How many times wider the block's output is than its 3×3 convolutions. */
    int expansion() {
      return convolutions() == 3 ? 4 : 1;
    }

    /** Blocks of this width, the first with the stride. */
    Sequential stage(Init init, int in, int width, int blocks, int stride) {
      List<PreActBlock> stage = new ArrayList<>();
      for (int b = 0; b < blocks; b++) {
        boolean first = b == 0;
        int entering = first ? in : width * expansion();
        stage.add(new PreActBlock(init, this, entering, width, first ? stride : 1));
      }
      return new Sequential(stage);
    }
  }

  /** Makes a convolution without bias, or what stands for it. */
  interface Convolution {
    Module of(Init init, int in, int out, int kernel, int stride);
  }

  private final List<Module> steps = new ArrayList<>();
  private final Module shortcut;
  private final boolean projectsActivated;

  private PreActBlock(Init init, Style style, int in, int width, int stride) {
    int n = style.convolutions();
    int channels = in;
    for (int i = 0; i < n; i++) {
      int out = i == 2 ? width * style.expansion() : width;
      int kernel = n == 2 || i == 1 ? 3 : 1;
      step(style, 3 * i, new BatchNorm2d(init, channels));
      step(style, 3 * i + 1, new Operation(style.activation()));
      step(
          style,
          3 * i + 2,
          style.convolution().of(init, channels, out, kernel, i == n - 2 ? stride : 1));
      channels = out;
    }
    projectsActivated = style.projectsActivated();
    shortcut =
        stride == 1 && in == channels
            ? null
            : child(style.shortcut(), style.projection().of(init, in, channels, 1, stride));
  }

  private void step(Style style, int index, Module step) {
    steps.add(child(style.names().get(index), step));
  }

  @Override
  protected Tensor forward(Tensor x) {
    Tensor activated = steps.get(1).apply(steps.get(0).apply(x));
    Tensor y = activated;
    for (Module step : steps.subList(2, steps.size())) {
      y = step.apply(y);
    }
    return y.add_(shortcut == null ? x : shortcut.apply(projectsActivated ? activated : x));
  }
}
