package bridge.method.parts;

import bridge.Options;
import bridge.UsageException;
import bridge.architecture.Init;
import bridge.model.Features;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * F(u) = (1/B) Σ_b Σ_k a_kb D(φ_k(g(u_b)), h_kb): the student's feature g, through one head per
 * teacher, is drawn to each teacher's feature h, with the weights of the fusion.
 *
 * <p>Features are vectors [N, d], or maps [N, d, H, W]: pooled to vectors for the linear heads,
 * pooled to the smaller size for the convolutional one.
 */
public final class FeatureAlignment {

  /** How far apart two features are; each is a mean over a sample's coordinates or 1 − cos. */
  public enum Distance {
    MSE_MEAN,
    COSINE,
    /** The squared distance of the two vectors at length 1, summed over coordinates. */
    MSE_NORMALISED;

    private static final double TINY = 1e-12;

    /** The distance [N] between vectors [N, d] of the same width. */
    public Tensor between(Tensor a, Tensor b) {
      return switch (this) {
        case MSE_MEAN -> square(a.sub(b)).mean(1);
        case COSINE -> unit(a).mul(unit(b)).sum(1).neg().add(1);
        case MSE_NORMALISED -> square(unit(a).sub(unit(b))).sum(1);
      };
    }

    private static Tensor square(Tensor t) {
      return t.mul(t);
    }

    private static Tensor unit(Tensor t) {
      return t.div(t.norm2Keep(1).clampMin(TINY));
    }
  }

  /**
   * @param layer the student's, as {@link Tap#layer} reads it
   */
  public record Settings(String layer, Head.Kind head, Distance distance) {
    public static Settings from(Options options) {
      return new Settings(
          Tap.layer(options),
          options.choice("featHead", Head.Kind.LINEAR),
          options.choice("featDistance", Distance.MSE_MEAN));
    }
  }

  private final Settings settings;
  private final Tap student;
  private final List<Head> heads = new ArrayList<>();

  /**
   * Makes a head for each teacher; their widths are found by showing everyone an image of zeros.
   *
   * @param modules where the heads are registered, as heads.0, heads.1 …
   * @throws UsageException if a head works on maps and a feature is none
   */
  public FeatureAlignment(Settings settings, MethodContext context, TrainedModules modules) {
    this.settings = settings;
    student = Tap.ofStudent(settings.layer, context);
    Init init = Init.of(context.seeds(), "heads", student.type(), context.device());
    int from = width(student, "the student", context);
    for (Teacher teacher : context.teachers()) {
      int to = width(Tap.of(teacher), teacher.name(), context);
      heads.add(modules.add("heads." + heads.size(), new Head(settings.head, from, to, init)));
    }
  }

  private int width(Tap tap, String owner, MethodContext context) {
    long[] sizes = tap.sizes(context);
    if (settings.head == Head.Kind.CONV_BN && sizes.length != 4) {
      throw new UsageException(
          "the feature of %s is %s, not a map [N, C, H, W]; name a convolutional layer or use featHead LINEAR"
              .formatted(owner, Arrays.toString(sizes)));
    }
    return tap.width(context);
  }

  /** The submodule of the student that {@link #term} needs the output of. */
  public String layer() {
    return student.path();
  }

  /**
   * F.
   *
   * @param weights a [N, K]
   * @param outputs what the student gave, {@link #layer} tapped
   * @param targets the K teachers' features, constant
   */
  public Tensor term(Tensor weights, Network.Outputs outputs, List<Tensor> targets) {
    Tensor source = form(student.feature(outputs));
    Tensor sum = null;
    for (int k = 0; k < targets.size(); k++) {
      Tensor distance = distance(source, form(targets.get(k)), heads.get(k));
      Tensor term = distance.mul(weights.select(1, k)).mean();
      sum = sum == null ? term : sum.add(term);
    }
    return sum;
  }

  /** As the heads of this kind work on it. */
  private Tensor form(Tensor feature) {
    return settings.head == Head.Kind.CONV_BN ? feature : Features.vector(feature);
  }

  private Tensor distance(Tensor student, Tensor teacher, Head head) {
    Tensor target = teacher;
    Tensor source = student;
    if (settings.head == Head.Kind.CONV_BN) {
      int height = (int) Math.min(student.size(2), teacher.size(2));
      int width = (int) Math.min(student.size(3), teacher.size(3));
      source = student.adaptiveAvgPool2d(height, width);
      target = teacher.adaptiveAvgPool2d(height, width);
    }
    return settings.distance.between(head.apply(source).flatten(1), target.flatten(1));
  }
}
