package bridge.torch;

/**
 * One seed, many independent streams: initialisation, shuffling, augmentation, attack noise.
 *
 * <p>A stream's numbers depend only on the seed, the stream's name and a position in it (an epoch,
 * a step, an image), never on what was drawn before. So a resumed run needs no generator's state,
 * and the number of threads changes nothing.
 *
 * @param seed the run's seed
 */
public record Seeds(long seed) {

  /** The seed for this place of this stream, for instance {@code derive("attack", step)}. */
  public long derive(String stream, long... position) {
    long h = mix(seed + 0x9E3779B97F4A7C15L);
    for (int i = 0; i < stream.length(); i++) {
      h = mix(h ^ stream.charAt(i));
    }
    for (long p : position) {
      h = mix(h + 0x9E3779B97F4A7C15L + p * 0xD1342543DE82EF95L);
    }
    return h;
  }

  /** SplitMix64's finaliser (Steele, Lea and Flood 2014): every input bit reaches every output. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
