package bridge.checkpoint;

import bridge.torch.Memory;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A network's tensors as a checkpoint holds them, by name and in order, and how they were found.
 *
 * <p>The file stays mapped, and its tensors borrow its bytes: they must not be written to and are
 * valid until {@link #close}, so whoever loads them copies. They belong to the scope that was
 * innermost when the file was read.
 */
public final class StateDict implements AutoCloseable {
  /** In the order in which they are tried; each stands for all keys or is left. */
  private static final List<String> PREFIXES = List.of("module.", "model.", "_orig_mod.");

  /** Of a network in an nn.Sequential, alone or after a normalisation that keeps nothing. */
  private static final List<String> PLACES = List.of("0.", "1.");

  private static final int MOST_PREFIXES = 4;

  /** Statistics that some authors keep in their networks, and others do not. */
  private static final Set<String> OPTIONAL = Set.of("mean", "std", "mu", "sigma");

  private static final int SHOWN = 6;

  private final Path file;
  private final Format format;
  private final Map<String, Tensor> tensors;
  private final String nestedUnder;
  private final String strippedPrefix;
  private final List<String> ignored;
  private final Memory mapped;
  private final Runnable release;

  StateDict(
      Path file,
      Format format,
      Map<String, Tensor> tensors,
      String nestedUnder,
      List<String> ignored,
      Memory mapped,
      Runnable release) {
    this.file = file;
    this.format = format;
    this.nestedUnder = nestedUnder;
    this.ignored = List.copyOf(ignored);
    this.mapped = mapped;
    this.release = release;
    this.strippedPrefix = prefix(tensors.keySet());
    Map<String, Tensor> named = new LinkedHashMap<>();
    tensors.forEach((name, t) -> named.put(name.substring(strippedPrefix.length()), t));
    this.tensors = Collections.unmodifiableMap(named);
  }

  /** What begins all names and says only how the network was wrapped. */
  private static String prefix(Set<String> names) {
    StringBuilder found = new StringBuilder();
    for (int i = 0; i < MOST_PREFIXES && !names.isEmpty(); i++) {
      String before = found.toString();
      Stream.concat(
              PREFIXES.stream()
                  .filter(p -> names.stream().allMatch(name -> longer(name, before + p))),
              PLACES.stream().filter(p -> holdsNetwork(names, before + p)))
          .findFirst()
          .ifPresent(found::append);
    }
    return found.toString();
  }

  /** Whether below the place there are named modules, and not layers that are in places, too. */
  private static boolean holdsNetwork(Set<String> names, String place) {
    return names.stream()
            .allMatch(n -> longer(n, place) && !Character.isDigit(n.charAt(place.length())))
        && names.stream().anyMatch(n -> n.indexOf('.', place.length()) > 0);
  }

  private static boolean longer(String key, String prefix) {
    return key.length() > prefix.length() && key.startsWith(prefix);
  }

  public Format format() {
    return format;
  }

  /** The tensors by name, without {@link #strippedPrefix}, in the file's order. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /** The tensors' shapes by name, in the file's order. */
  public Map<String, long[]> shapes() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    tensors.forEach((name, t) -> shapes.put(name, t.sizes()));
    return shapes;
  }

  /** The names under which they lay, joined by a dot, for instance {@code state_dict}; or empty. */
  public String nestedUnder() {
    return nestedUnder;
  }

  /** What began every name and was taken off, for instance {@code module.}; or empty. */
  public String strippedPrefix() {
    return strippedPrefix;
  }

  /** Names of what else the file holds, such as {@code optimizer} or {@code epoch}. */
  public List<String> ignored() {
    return ignored;
  }

  /**
   * The tensors that a network wants, in its order.
   *
   * <p>What only says how the network was wrapped ({@link #strippedPrefix}) counts on neither side.
   * Every name must be there with its shape and no other may be, but for what authors treat
   * differently: {@code num_batches_tracked} and {@code mean, std, mu, sigma} may lack (the network
   * keeps its own), {@code mean, std, mu, sigma} and {@code sub_block1.*} may be there in vain.
   *
   * @param expected shapes by name
   * @return for each expected name that is there, its tensor
   * @throws CheckpointException with every missing, unexpected and misshapen name
   */
  public Map<String, Tensor> match(Map<String, long[]> expected) {
    Map<String, Tensor> matched = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    List<String> misshapen = new ArrayList<>();
    String wrapped = prefix(expected.keySet());
    expected.forEach(
        (name, shape) -> {
          Tensor t = tensors.get(name.substring(wrapped.length()));
          if (t != null && Arrays.equals(t.sizes(), shape)) {
            matched.put(name, t);
          } else if (t != null) {
            misshapen.add(
                "%s is %s, not %s".formatted(name, Arrays.toString(t.sizes()), text(shape)));
          } else if (!mayLack(name)) {
            missing.add(name + " " + text(shape));
          }
        });
    List<String> unexpected =
        tensors.entrySet().stream()
            .filter(e -> !expected.containsKey(wrapped + e.getKey()) && !mayBeInVain(e.getKey()))
            .map(e -> CheckpointException.printable(e.getKey()) + " " + text(e.getValue().sizes()))
            .toList();
    if (!missing.isEmpty() || !unexpected.isEmpty() || !misshapen.isEmpty()) {
      throw new CheckpointException(
          file,
          "does not fit the network:%s%s%s name the architecture it was made for"
              .formatted(
                  list("missing", missing),
                  list("unexpected", unexpected),
                  list("of another shape", misshapen)));
    }
    return matched;
  }

  private static String text(long[] shape) {
    return Arrays.toString(shape);
  }

  /** Whether a network's tensor of this name need not be in its state_dict. */
  public static boolean mayLack(String name) {
    return last(name).equals("num_batches_tracked") || isStatistic(name);
  }

  /** Whether the name is of statistics that some authors save and others do not. */
  public static boolean isStatistic(String name) {
    return OPTIONAL.contains(last(name));
  }

  private static boolean mayBeInVain(String name) {
    return name.startsWith("sub_block1.") || isStatistic(name);
  }

  private static String last(String name) {
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static String list(String title, List<String> names) {
    if (names.isEmpty()) {
      return "";
    }
    String more = names.size() > SHOWN ? " and %d more".formatted(names.size() - SHOWN) : "";
    String first = String.join(", ", names.subList(0, Math.min(SHOWN, names.size())));
    return " %s: %s%s;".formatted(title, first, more);
  }

  /**
   * Takes what was read so far out of memory, so that loading a large file needs little more than
   * the network. The tensors stay valid: what is wanted again is read again.
   */
  public void unload() {
    mapped.unload();
  }

  /** Unmaps the file; its tensors must not be used any more. */
  @Override
  public void close() {
    release.run();
  }
}
