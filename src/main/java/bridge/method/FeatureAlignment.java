package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.model.Features;
import bridge.torch.Tensor;
import java.util.List;

/**
 * F(u) = (1/B) Σ_b Σ_k a_kb D(φ_k(g(u_b)), h_kb): the student's feature g, through one head per
 * teacher, is drawn to each teacher's feature h, with the weights of the fusion.
 *
 * <p>Features are vectors [N, d], or maps [N, d, H, W]: pooled to vectors for the linear heads,
 * pooled to the smaller size for the convolutional one.
 */
record FeatureAlignment(List<Head> heads, Head.Kind kind, Distance distance) {

  /** How far apart two features are; each is a mean over a sample's coordinates or 1 − cos. */
  enum Distance {
    MSE_MEAN,
    COSINE,
    /** The squared distance of the two vectors at length 1, summed over coordinates. */
    MSE_NORMALISED
  }

  private static final double TINY = 1e-12;

  /** A feature in the form that the heads of this kind work on. */
  static Tensor form(Head.Kind kind, Tensor feature, String owner) {
    if (kind == Head.Kind.CONV_BN) {
      if (feature.dim() != 4) {
        throw new UsageException(
            ("the feature of %s is %s, not a map [N, C, H, W]; name a convolutional layer or use"
                    + " featHead LINEAR")
                .formatted(owner, feature));
      }
      return feature;
    }
    return Features.vector(feature);
  }

  /**
   * @param weights a [N, K]
   * @param student the student's feature, as {@link #form} gives it
   * @param teachers the K teachers' features, likewise
   */
  Tensor term(Tensor weights, Tensor student, List<Tensor> teachers) {
    Tensor sum = null;
    for (int k = 0; k < teachers.size(); k++) {
      Tensor apart = apart(student, teachers.get(k), heads.get(k));
      Tensor part = apart.mul(weights.select(1, k)).mean();
      sum = sum == null ? part : sum.add(part);
    }
    return sum;
  }

  private Tensor apart(Tensor student, Tensor teacher, Head head) {
    Tensor target = teacher;
    Tensor source = student;
    if (kind == Head.Kind.CONV_BN) {
      long height = Math.min(student.size(2), teacher.size(2));
      long width = Math.min(student.size(3), teacher.size(3));
      source = student.adaptiveAvgPool2d((int) height, (int) width);
      target = teacher.adaptiveAvgPool2d((int) height, (int) width);
    }
    Tensor a = head.apply(source).flatten(1);
    Tensor b = target.flatten(1);
    return apart(distance, a, b);
  }

  /** The distance [N] between vectors [N, d] of the same width. */
  static Tensor apart(Distance distance, Tensor a, Tensor b) {
    return switch (distance) {
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

  /** Reads the options that are the alignment's own; the heads are made by the method. */
  static Distance distance(Options options) {
    return options.choice("featDistance", Distance.MSE_MEAN);
  }
}
