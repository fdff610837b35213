package bridge.architecture;

import java.util.Map;

/** The shapes of a state_dict's tensors, asked for what tells depth and width. */
record Shapes(Map<String, long[]> all) {

  boolean has(String key) {
    return all.containsKey(key);
  }

  /** Length of a tensor's dimension; 0 where there is no such tensor. */
  int size(String key, int dimension) {
    long[] shape = all.get(key);
    return shape == null || shape.length <= dimension
        ? 0
        : (int) Math.min(shape[dimension], Integer.MAX_VALUE);
  }

  /** Output channels of a weight; 0 where there is none. */
  int out(String key) {
    return size(key, 0);
  }

  /**
   * How many keys there are of this form, counted up from 0 (or 1) without a gap.
   *
   * @param format with one {@code %d}: {@code layer1.%d.conv1.weight}
   */
  int count(String format) {
    int begin = has(format.formatted(0)) ? 0 : 1;
    int n = 0;
    while (has(format.formatted(begin + n))) {
      n++;
    }
    return n;
  }

  /** Channels of the images: what the first convolution takes. */
  int channels() {
    return (int)
        all.values().stream().filter(s -> s.length == 4).mapToLong(s -> s[1]).findFirst().orElse(3);
  }

  /** Classes: what the last linear layer gives. */
  int classes() {
    return (int)
        all.values().stream()
            .filter(s -> s.length == 2)
            .mapToLong(s -> s[0])
            .reduce((a, b) -> b)
            .orElse(10);
  }
}
