package bridge.train;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.method.parts.Teacher;
import bridge.method.parts.Teacher.Role;
import bridge.model.Network;
import bridge.model.Precision;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Asks the teachers about some images before anything is trained. A teacher that was loaded
 * wrongly, most often without its normalisation, still gives numbers, and would spoil a run of days
 * in silence.
 */
final class Preflight {
  /** Where between guessing and knowing a teacher's accuracy starts to be suspicious. */
  private static final double SUSPICIOUS = 0.2;

  /** How far rows of probabilities may be from a sum of 1. */
  private static final double ROUNDING = 1e-3;

  /** Which share of the predictions half precision may change without a warning. */
  private static final double CHANGED = 0.01;

  /** A teacher in half precision beside the same one in float32. */
  static final class Comparison {
    private final Precision precision;
    private final Network exact;
    private long images;
    private long changed;
    private long logitCount;
    private long notFinite;
    private double largestDifference;

    /**
     * @param precision of the teacher
     * @param exact the teacher as it was before it was converted
     */
    Comparison(Precision precision, Network exact) {
      this.precision = precision;
      this.exact = exact;
    }

    private void add(Tensor images, Tensor halfLogits) {
      Tensor expected = exact.logits(images);
      this.images += halfLogits.size(0);
      changed += count(halfLogits.argmax(1).ne(expected.argmax(1)));
      logitCount += halfLogits.numel();
      notFinite += count(halfLogits.isFinite().logicalNot());
      largestDifference = Math.max(largestDifference, halfLogits.sub(expected).abs().max().item());
    }

    private static long count(Tensor flags) {
      return flags.to(DType.INT64).sum().itemLong();
    }

    private List<String> lines(Teacher teacher) {
      String name = "teacher %s in %s".formatted(teacher.name(), precision);
      String changes =
          String.format(
              Locale.ROOT,
              "%s predicts otherwise than in FLOAT32 on %d of %d images (%.1f %%), and",
              name,
              changed,
              images,
              100.0 * changed / images);
      List<String> lines = new ArrayList<>();
      if (notFinite > 0 || changed > CHANGED * images) {
        lines.add(
            ("warning: %s %d of its %d logits are not finite; choose another precision for it"
                    + " (teachers[].precision)")
                .formatted(changes, notFinite, logitCount));
      } else {
        lines.add(
            String.format(
                Locale.ROOT, "%s its logits are up to %.2g apart", changes, largestDifference));
      }
      if (teacher.network().device().equals(Device.CPU)) {
        lines.add(
            ("warning: %s takes half the memory, but on a processor without units for such numbers"
                    + " many times as long; FLOAT32 is the faster one there")
                .formatted(name));
      }
      return lines;
    }
  }

  private Preflight() {}

  /**
   * One line for the teacher, and one per suspicion; none for a peer.
   *
   * @param comparison for a teacher in half precision
   * @param images unaugmented, all of which are asked about
   */
  static List<String> check(
      Teacher teacher, Optional<Comparison> comparison, int classes, Batches images) {
    if (teacher.role() == Role.PEER) {
      return List.of();
    }
    long right = 0;
    long all = 0;
    boolean probabilities = true;
    try (NoGrad _ = NoGrad.enter();
        Batches.Epoch epoch = images.epoch(1, 0)) {
      while (epoch.hasNext()) {
        try (Scope _ = Scope.open("preflight")) {
          Batch batch = epoch.next();
          Tensor logits = teacher.network().logits(batch.images());
          right += logits.argmax(1).eq(batch.labels()).to(DType.INT64).sum().itemLong();
          all += batch.images().size(0);
          probabilities &= areProbabilities(logits);
          comparison.ifPresent(c -> c.add(batch.images(), logits));
        }
      }
    }
    List<String> lines =
        lines(teacher.name(), teacher.network(), right, all, classes, probabilities);
    comparison.ifPresent(c -> lines.addAll(c.lines(teacher)));
    return lines;
  }

  private static boolean areProbabilities(Tensor logits) {
    return logits.min().item() >= 0 && logits.sum(1).sub(1).abs().max().item() < ROUNDING;
  }

  private static List<String> lines(
      String name, Network network, long right, long all, int classes, boolean probabilities) {
    double accuracy = (double) right / all;
    double chance = 1.0 / classes;
    List<String> lines = new ArrayList<>();
    lines.add(
        String.format(
            Locale.ROOT,
            "teacher %s: %.1f %% of %d clean training images right%s",
            name,
            100 * accuracy,
            all,
            network.normalisation().isEmpty() ? "" : ", " + network.normalisation()));
    if (accuracy < chance + SUSPICIOUS * (1 - chance)) {
      lines.add(
          ("warning: teacher %s is right about hardly more than chance (%.1f %%). Likely its"
                  + " normalisation is wrong or missing (teachers[].normalisation with its mean and"
                  + " std, or a card), or its classes are in another order, or its weights were not"
                  + " loaded")
              .formatted(name, 100 * chance));
    }
    if (probabilities) {
      lines.add(
          ("warning: teacher %s gives probabilities, not logits: its rows sum to 1. A softmax of"
               + " them is nearly uniform and teaches nothing; export it without its last softmax")
              .formatted(name));
    }
    return lines;
  }
}
