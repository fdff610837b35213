package bridge.data;

/**
 * What is done to training images: a random crop after zero padding, then a horizontal flip with
 * probability 1/2. Each image's draw depends on the seed, the epoch and the image's index only.
 *
 * @param pad pixels of zeros on every side before the crop, which has the image's own size: offsets
 *     are uniform in 0 to 2·pad in both directions
 * @param flip whether half of the images are mirrored left to right
 */
public record Augment(int pad, boolean flip) {
  /** The images as they are. */
  public static final Augment NONE = new Augment(0, false);

  private static final int WIDEST = 64;

  /**
   * @throws IllegalArgumentException if {@code pad} is negative or beyond reason
   */
  public Augment {
    if (pad < 0 || pad > WIDEST) {
      throw new IllegalArgumentException(
          "pad must be in [0, %d] pixels, found %d".formatted(WIDEST, pad));
    }
  }

  /**
   * One image's draw.
   *
   * @param down how far the image is moved up: row 0 shows its row {@code down}, negative is
   *     padding
   * @param right the same for columns, before the flip
   */
  record Draw(int down, int right, boolean mirrored) {}

  /** The draw that these random bits make. */
  Draw draw(long random) {
    long offsets = 2L * pad + 1;
    // digits of a random fraction in base `offsets`: the high half is one, the low half the rest
    int down = (int) Math.unsignedMultiplyHigh(random, offsets);
    long rest = random * offsets;
    int right = (int) Math.unsignedMultiplyHigh(rest, offsets);
    rest *= offsets;
    return new Draw(down - pad, right - pad, flip && rest < 0);
  }
}
