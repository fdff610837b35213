package bridge.train;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.method.Setting.Role;
import bridge.method.Setting.Teacher;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

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

  private Preflight() {}

  /**
   * One line per teacher, and one per suspicion.
   *
   * @param images unaugmented, all of which are asked about
   */
  static List<String> check(List<Teacher> teachers, int classes, Batches images) {
    List<String> lines = new ArrayList<>();
    for (Teacher teacher : teachers) {
      if (teacher.role() != Role.PEER) {
        lines.addAll(check(teacher, classes, images));
      }
    }
    return lines;
  }

  private static List<String> check(Teacher teacher, int classes, Batches images) {
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
        }
      }
    }
    return lines(teacher.name(), teacher.network(), right, all, classes, probabilities);
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
