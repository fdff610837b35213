package bridge.graph;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Shapes of values of some batch, written for any. */
final class Shapes {
  private Shapes() {}

  /** {@code [-1, 16, 4, 4]}. */
  static String text(long[] shape) {
    return LongStream.concat(LongStream.of(-1), Arrays.stream(shape).skip(1))
        .mapToObj(Long::toString)
        .collect(Collectors.joining(", ", "[", "]"));
  }
}
