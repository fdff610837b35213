package bridge.data;

import bridge.torch.Seeds;

/** Random orders. */
final class Order {
  private Order() {}

  /** A copy in random order (Fisher and Yates), which the seed alone determines. */
  static int[] shuffled(int[] indices, long seed) {
    Seeds steps = new Seeds(seed);
    int[] order = indices.clone();
    for (int i = order.length - 1; i > 0; i--) {
      // the high half of a product spreads 64 random bits evenly over 0 to i
      int j = (int) Math.unsignedMultiplyHigh(steps.derive("", i), i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    return order;
  }
}
