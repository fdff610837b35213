package bridge.method.parts;

import bridge.UsageException;
import bridge.torch.Seeds;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Draws, for an image, images of other classes to be told apart from: without repetition where
 * there are enough, else with.
 *
 * <p>The j-th draw of a range of n is {@code derive("", j) >>> 1 mod n} of the seeds for this step
 * and image, so it depends on nothing else in the batch; draws without repetition shuffle the range
 * from the front (Fisher and Yates), each draw j out of the n − j that are left.
 */
public final class Negatives {
  private final int[] labels;
  private final Seeds seeds;

  /** Image numbers class by class, and where each class begins. */
  private final int[] sorted;

  private final int[] offsets;
  private final int[] scratch;

  /**
   * @param labels by image number; −1 for images that are never drawn
   */
  public Negatives(int[] labels, int classes, Seeds seeds) {
    this.labels = labels;
    this.seeds = seeds;
    offsets = new int[classes + 1];
    for (int label : labels) {
      if (label >= 0) {
        offsets[label + 1]++;
      }
    }
    Arrays.parallelPrefix(offsets, Integer::sum);
    sorted = new int[offsets[classes]];
    int[] next = offsets.clone();
    for (int image = 0; image < labels.length; image++) {
      if (labels[image] >= 0) {
        sorted[next[labels[image]]++] = image;
      }
    }
    scratch = new int[sorted.length];
    if (IntStream.range(0, classes).anyMatch(c -> others(c) == 0)) {
      throw new UsageException(
          "method crd needs training images of two classes or more, found those of one");
    }
  }

  /** How many images are drawn from. */
  public int images() {
    return sorted.length;
  }

  private int others(int label) {
    return sorted.length - (offsets[label + 1] - offsets[label]);
  }

  /** Rows of an image and {@code count} others, one after the other: [images, count + 1]. */
  public long[] rows(int[] images, int count, long step) {
    long[] rows = new long[images.length * (count + 1)];
    for (int i = 0; i < images.length; i++) {
      rows[i * (count + 1)] = images[i];
      draw(images[i], rows, i * (count + 1) + 1, count, step);
    }
    return rows;
  }

  private void draw(int image, long[] to, int at, int count, long step) {
    int label = labels[image];
    int range = others(label);
    boolean repeats = count > range;
    if (!repeats) {
      Arrays.setAll(scratch, i -> i);
    }
    Seeds own = new Seeds(seeds.derive("crd", step, image));
    for (int j = 0; j < count; j++) {
      int remaining = repeats ? range : range - j;
      int place = (int) ((own.derive("", j) >>> 1) % remaining);
      int drawn = place;
      if (!repeats) {
        drawn = scratch[j + place];
        scratch[j + place] = scratch[j];
      }
      to[at + j] =
          sorted[drawn < offsets[label] ? drawn : drawn + offsets[label + 1] - offsets[label]];
    }
  }
}
