package bridge.method.parts;

import bridge.Options;
import bridge.model.Features;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;

/** A network and the submodule whose output is its feature. */
public record Tap(Network network, String path) {
  private static final String LAST = "penultimate";

  /** The option {@code featLayer}: a submodule of the student; the last feature if not given. */
  public static String layer(Options options) {
    return options.text("featLayer", LAST);
  }

  /** The student at the layer that {@link #layer} read. */
  public static Tap ofStudent(String layer, MethodContext context) {
    Network student = context.student();
    return new Tap(student, layer.equals(LAST) ? student.penultimate() : layer);
  }

  public static Tap of(Teacher teacher) {
    return new Tap(teacher.network(), teacher.feature());
  }

  public Network.Outputs forward(Tensor images) {
    return network.forward(images, List.of(path));
  }

  /** As {@link #forward}, without recording gradients. */
  public Network.Outputs constant(Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      return forward(images);
    }
  }

  /** Out of what {@link #forward} gave. */
  public Tensor feature(Network.Outputs outputs) {
    return outputs.features().get(path);
  }

  /** The same as a vector per image, [N, d]. */
  public Tensor vector(Network.Outputs outputs) {
    return Features.vector(feature(outputs));
  }

  /**
   * The sizes of the feature of one image, [1, d] or [1, d, H, W], found by showing the network an
   * image of zeros.
   */
  public long[] sizes(MethodContext context) {
    long[] c = context.imageShape();
    try (Scope _ = Scope.open("tap");
        NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      Tensor zeros = Tensor.zeros(type(), context.device(), 1, c[0], c[1], c[2]);
      return feature(forward(zeros)).sizes();
    }
  }

  /** The width d of {@link #vector}, or of a map. */
  public int width(MethodContext context) {
    long[] sizes = sizes(context);
    return (int) (sizes.length == 3 ? sizes[2] : sizes[1]);
  }

  /** Of the network's numbers. */
  public DType type() {
    return network.parameters().values().iterator().next().dtype();
  }
}
