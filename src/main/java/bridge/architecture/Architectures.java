package bridge.architecture;

import bridge.BridgeException;
import bridge.Options;
import bridge.UsageException;
import bridge.checkpoint.StateDict;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The architectures by name. A new one takes its class and its line here.
 *
 * <p>A text such as {@code resnet20:width=8} is a name and, after a colon, options.
 */
public final class Architectures {
  private static final List<Family> ALL =
      List.of(
          ResNet.KUANGLIU,
          ResNet.CHENYAOFO,
          PreActResNet.KUANGLIU,
          PreActResNet.DEEPMIND,
          WideResNet.TRADES,
          WideResNet.DEEPMIND,
          DenseNet.KUANGLIU,
          DenseNet.CIFAR,
          SmallCnn.TRADES,
          MobileNetV2.KUANGLIU,
          MobileNetV2Chenyaofo.FAMILY,
          Vgg.CHENYAOFO,
          Vgg.KUANGLIU,
          ShuffleNetV2.CHENYAOFO,
          ShuffleNetV2.KUANGLIU,
          RepVgg.FAMILY,
          VisionTransformer.FAMILY);

  /** Channels or classes that are possible. */
  private static final int MOST = 1_000_000;

  private Architectures() {}

  /** The names to offer; most families know more, of any depth and width. */
  public static List<String> names() {
    return ALL.stream().flatMap(f -> f.offered().stream()).toList();
  }

  /** Whether a name is one of a network here, offered or only possible. */
  public static boolean has(String name) {
    return family(name).isPresent();
  }

  private static Optional<Family> family(String name) {
    return ALL.stream().filter(f -> f.has(name)).findFirst();
  }

  /**
   * Builds a network in the caller's scope, in training mode.
   *
   * @param options by key, as the user wrote them; {@code channels}, {@code classes} may be among
   *     them but must be the data's
   * @throws UsageException for an unknown name or option, or one that does not fit the data
   */
  public static Architecture build(
      String name, Map<String, String> options, Dimensions data, Init init) {
    Family family = family(name).orElseThrow(() -> unknown(name));
    Options parsed = new Options("model " + name, json(options));
    Architecture network = family.build(init, data, name, parsed);
    same(parsed, "channels", data.channels());
    same(parsed, "classes", data.classes());
    parsed.done();
    return network;
  }

  private static UsageException unknown(String name) {
    return new UsageException(
        "unknown architecture %s%s; there are %s"
            .formatted(name, Options.hint(name, names()), String.join(", ", names())));
  }

  private static JsonObject json(Map<String, String> options) {
    JsonObject json = new JsonObject();
    options.forEach(
        (key, value) ->
            json.add(
                key,
                value.matches("true|false")
                    ? new JsonPrimitive(Boolean.valueOf(value))
                    : new JsonPrimitive(value)));
    return json;
  }

  /** Channels and classes may be written down, but the data decides. */
  private static void same(Options options, String key, int data) {
    int stated = options.integer(key, data, 1, MOST);
    if (stated != data) {
      throw new UsageException(
          "%s is %d, but the data has %d".formatted(options.path(key), stated, data));
    }
  }

  /**
   * Options written {@code KEY=VALUE,KEY=VALUE}; none for null or nothing.
   *
   * @param text of the whole model, for the message
   */
  public static Map<String, String> options(String text, String list) {
    Map<String, String> options = new LinkedHashMap<>();
    List<String> items =
        list == null || list.isEmpty() ? List.of() : Arrays.asList(list.split(",", -1));
    for (String item : items) {
      int equals = item.indexOf('=');
      if (equals < 1
          || options.put(item.substring(0, equals), item.substring(equals + 1)) != null) {
        throw new UsageException(
            "model %s: options must read KEY=VALUE, each once, between commas, found %s"
                .formatted(text, list));
      }
    }
    return options;
  }

  /**
   * The names and shapes of a network's tensors, in order; nothing is allocated.
   *
   * @param text its name and, after a colon, its options
   * @throws UsageException as for {@link #build}
   */
  public static Map<String, long[]> shapes(String text, Dimensions data) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    try (Scope _ = Scope.open("shapes")) {
      outline(text, data).stateDict().forEach((name, t) -> shapes.put(name, t.sizes()));
    }
    return shapes;
  }

  /** The network of this text, of tensors without memory. */
  private static Architecture outline(String text, Dimensions data) {
    String[] parts = text.split(":", 2);
    return build(parts[0], options(text, parts.length == 1 ? null : parts[1]), data, Init.shapes());
  }

  /**
   * How well a network has the tensors of a state_dict; {@code mean, std, mu} and {@code sigma} do
   * not count, as when it is loaded.
   *
   * @param text the network's name and options
   * @param data what the state_dict tells about it
   * @param parameters of the network, counted
   * @param missing what the network has and the state_dict lacks, with shapes
   * @param unexpected what the state_dict has and the network lacks, with shapes
   * @param misshapen what both have in different shapes
   */
  public record Fit(
      String text,
      Dimensions data,
      long parameters,
      List<String> missing,
      List<String> unexpected,
      List<String> misshapen) {

    /** Whether every tensor is there, in its shape, and no other. */
    public boolean exact() {
      return differences() == 0;
    }

    /** How many tensors are missing, unexpected or of another shape. */
    public int differences() {
      return missing.size() + unexpected.size() + misshapen.size();
    }
  }

  /**
   * Which architectures a state_dict fits.
   *
   * @param shapes by name, without wrapper and prefix; {@code num_batches_tracked} may lack
   * @return all that fit exactly, the likeliest first (several have the same tensors but another
   *     arithmetic); where none does, the nearest alone; nothing for no tensors or impossible ones
   */
  public static List<Fit> fits(Map<String, long[]> shapes) {
    Shapes tensors = new Shapes(shapes);
    if (Stream.of(tensors.channels(), tensors.classes()).anyMatch(n -> n < 1 || n > MOST)) {
      return List.of(); // hostile shapes, of nothing that can be built
    }
    List<Fit> fits = fits(ALL.stream().flatMap(f -> f.guesses().apply(tensors).stream()), tensors);
    List<Fit> exact = fits.stream().filter(Fit::exact).toList();
    if (!exact.isEmpty()) {
      return exact;
    }
    List<Fit> others = fits(names().stream().map(Family.Guess::of), tensors);
    return Stream.concat(fits.stream(), others.stream())
        .filter(f -> f.missing().size() < shapes.size() || !f.misshapen().isEmpty())
        .min(Comparator.comparingInt(Fit::differences))
        .stream()
        .toList();
  }

  private static List<Fit> fits(Stream<Family.Guess> guesses, Shapes tensors) {
    return guesses.distinct().map(guess -> fit(guess, tensors)).flatMap(Optional::stream).toList();
  }

  private static Optional<Fit> fit(Family.Guess guess, Shapes tensors) {
    Dimensions data = new Dimensions(tensors.channels(), tensors.classes(), guess.imageSize());
    try (Scope _ = Scope.open("guess")) {
      Architecture network = outline(guess.text(), data);
      return Optional.of(compare(guess.text(), data, network, tensors.all()));
    } catch (BridgeException _) {
      return Optional.empty(); // the shapes are of nothing that can be built
    }
  }

  private static Fit compare(
      String text, Dimensions data, Architecture network, Map<String, long[]> shapes) {
    Map<String, Tensor> expected = network.stateDict();
    List<String> missing = new ArrayList<>();
    List<String> misshapen = new ArrayList<>();
    expected.forEach(
        (name, t) -> {
          long[] shape = shapes.get(name);
          if (shape == null && !StateDict.mayLack(name)) {
            missing.add(name + " " + Arrays.toString(t.sizes()));
          } else if (shape != null && !Arrays.equals(shape, t.sizes())) {
            misshapen.add(
                "%s is %s, not %s"
                    .formatted(name, Arrays.toString(shape), Arrays.toString(t.sizes())));
          }
        });
    List<String> unexpected =
        shapes.entrySet().stream()
            .filter(e -> !expected.containsKey(e.getKey()) && !StateDict.isStatistic(e.getKey()))
            .map(e -> e.getKey() + " " + Arrays.toString(e.getValue()))
            .toList();
    long parameters = network.parameters().values().stream().mapToLong(Tensor::numel).sum();
    return new Fit(text, data, parameters, missing, unexpected, misshapen);
  }
}
