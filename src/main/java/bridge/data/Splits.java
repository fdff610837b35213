package bridge.data;

import bridge.torch.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Training images, and those held out to choose the best epoch by: never the test images.
 *
 * @param training indices, ascending
 * @param validation indices, ascending; none of them is in {@code training}
 */
public record Splits(int[] training, int[] validation) {

  /**
   * Holds out so many images, the same share of every class, chosen by the seed alone.
   *
   * @throws IllegalArgumentException if there are not that many
   */
  public static Splits of(ImageSet images, int validation, Seeds seeds) {
    if (validation < 0 || validation > images.size()) {
      throw new IllegalArgumentException(
          "validation must be in [0, %d], found %d".formatted(images.size(), validation));
    }
    List<int[]> classes = byClass(images);
    int[] shares = shares(classes, validation, images.size());
    boolean[] held = new boolean[images.size()];
    for (int c = 0; c < classes.size(); c++) {
      int[] order = Order.shuffled(classes.get(c), seeds.derive("split", c));
      for (int i = 0; i < shares[c]; i++) {
        held[order[i]] = true;
      }
    }
    IntStream all = IntStream.range(0, images.size());
    return new Splits(
        all.filter(i -> !held[i]).toArray(),
        IntStream.range(0, images.size()).filter(i -> held[i]).toArray());
  }

  private static List<int[]> byClass(ImageSet images) {
    List<int[]> classes = new ArrayList<>();
    for (int c = 0; c < images.classes(); c++) {
      int label = c;
      classes.add(
          IntStream.range(0, images.size()).filter(i -> images.label(i) == label).toArray());
    }
    return classes;
  }

  /**
   * Each class's part of {@code validation}; what rounding down leaves goes to the largest rests.
   */
  private static int[] shares(List<int[]> classes, int validation, int total) {
    int[] shares = new int[classes.size()];
    long[] rests = new long[classes.size()];
    for (int c = 0; c < shares.length; c++) {
      long product = (long) validation * classes.get(c).length;
      shares[c] = total == 0 ? 0 : (int) (product / total);
      rests[c] = total == 0 ? 0 : product % total;
    }
    int left = validation - Arrays.stream(shares).sum();
    IntStream.range(0, shares.length)
        .boxed()
        .sorted(Comparator.comparing((Integer c) -> -rests[c]).thenComparing(c -> c))
        .limit(left)
        .forEach(c -> shares[c]++);
    return shares;
  }
}
