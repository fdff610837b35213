package bridge.architecture;

import bridge.Options;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Networks of one definition: what they are called, how one is built, and which of them a
 * state_dict may belong to.
 *
 * @param pattern of the names; its groups are whole numbers such as depth and width
 * @param offered the names to list, the usual ones
 * @param guesses reads off a state_dict's shapes which members to compare it with, the likeliest
 *     first; may name any, even none, and need not check anything. Members with the same tensors
 *     but other arithmetic are all named.
 */
record Family(
    Pattern pattern, List<String> offered, Builder builder, Function<Shapes, List<Guess>> guesses) {

  Family(
      String pattern,
      List<String> offered,
      Builder builder,
      Function<Shapes, List<Guess>> guesses) {
    this(Pattern.compile(pattern), offered, builder, guesses);
  }

  /** Builds a member. */
  interface Builder {
    /**
     * @param numbers the groups of the name, in order
     * @param options of the network, by key; asked for strictly
     */
    Architecture build(Init init, Dimensions data, int[] numbers, Options options);
  }

  /**
   * A member that a state_dict may belong to.
   *
   * @param text its name and, after a colon, its options
   * @param imageSize of the images it takes; only some networks depend on it
   */
  record Guess(String text, int imageSize) {
    /** For networks that take images of any size. */
    static Guess of(String format, Object... arguments) {
      return new Guess(format.formatted(arguments), 32);
    }

    /** With an option, where its value is not the usual one. */
    Guess option(String key, Object value, Object standard) {
      String added = key + "=" + value.toString().replaceFirst("\\.0$", "");
      return value.equals(standard)
          ? this
          : new Guess(text + (text.contains(":") ? "," : ":") + added, imageSize);
    }
  }

  boolean has(String name) {
    return pattern.matcher(name).matches();
  }

  Architecture build(Init init, Dimensions data, String name, Options options) {
    Matcher m = pattern.matcher(name);
    int[] numbers = m.matches() ? groups(m.toMatchResult()) : new int[0];
    return builder.build(init, data, numbers, options);
  }

  private static int[] groups(MatchResult m) {
    int[] numbers = new int[m.groupCount()];
    Arrays.setAll(numbers, i -> Integer.parseInt(m.group(i + 1)));
    return numbers;
  }
}
