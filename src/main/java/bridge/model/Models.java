package bridge.model;

import bridge.Options;
import bridge.UsageException;
import bridge.model.Init.Convolutions;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Builds what a {@link ModelSpec} names. */
public final class Models {
  /** The names to offer; any {@code resnetN} with N = 6n + 2 is known as well. */
  public static final List<String> ARCHITECTURES =
      List.of(
          "resnet18",
          "resnet34",
          "resnet8",
          "resnet14",
          "resnet20",
          "resnet32",
          "resnet44",
          "resnet56",
          "resnet110",
          "mobilenetv2");

  private static final Pattern RESNET = Pattern.compile("resnet(\\d{1,4})");

  private Models() {}

  static boolean isArchitecture(String name) {
    return ARCHITECTURES.contains(name) || depth(name) > 0;
  }

  /** The depth of a CIFAR ResNet of three stages; 0 if the name is none. */
  private static int depth(String name) {
    Matcher m = RESNET.matcher(name);
    int depth = m.matches() ? Integer.parseInt(m.group(1)) : 0;
    return depth > 2 && (depth - 2) % 6 == 0 ? depth : 0;
  }

  /**
   * Builds the network in the caller's scope; a new one is in training mode.
   *
   * @param channels of the data's images
   * @param classes of the data
   * @param imageSize height and width of the data's images, in pixels
   * @param normalisation applied to the images, inside the network
   * @param seeds whose stream "init" gives the first weights
   * @throws UsageException if the model does not fit the data, an option is wrong, or a checkpoint
   *     is not of this architecture
   */
  public static Network build(
      ModelSpec spec,
      int channels,
      int classes,
      int imageSize,
      Normalisation normalisation,
      Seeds seeds,
      Device device) {
    return switch (spec) {
      case ModelSpec.Script script ->
          ScriptNetwork.load(script, channels, classes, imageSize, normalisation, device);
      case ModelSpec.BuiltIn builtIn ->
          builtIn(builtIn, channels, classes, normalisation, seeds, device);
    };
  }

  private static Network builtIn(
      ModelSpec.BuiltIn spec,
      int channels,
      int classes,
      Normalisation normalisation,
      Seeds seeds,
      Device device) {
    checkOptions(spec);
    same(spec, "channels", channels);
    same(spec, "classes", classes);
    try (Scope building = Scope.open("build")) {
      var constants = normalisation.on(device, channels);
      Module root = architecture(spec, channels, classes, seeds, device);
      Network network = new BuiltInNetwork(spec.text(), classes, root, constants, device);
      spec.checkpoint().ifPresent(file -> StateDicts.load(network, file));
      List<Tensor> lasting = new ArrayList<>(network.stateDict().values());
      if (!normalisation.isNone()) {
        lasting.addAll(List.of(constants.mean(), constants.std()));
      }
      lasting.forEach(building::keep);
      return network;
    }
  }

  private static void checkOptions(ModelSpec.BuiltIn spec) {
    List<String> known =
        depth(spec.architecture()) > 0
            ? List.of("width", "stride", "channels", "classes")
            : List.of("width", "channels", "classes");
    for (String key : spec.options().keySet()) {
      if (!known.contains(key)) {
        throw new UsageException(
            "model %s: unknown option %s%s; there are %s"
                .formatted(spec.text(), key, Options.hint(key, known), String.join(", ", known)));
      }
    }
  }

  private static Module architecture(
      ModelSpec.BuiltIn spec, int channels, int classes, Seeds seeds, Device device) {
    String name = spec.architecture();
    Init uniform = Init.of(seeds, device, Convolutions.UNIFORM_FAN_IN);
    return switch (name) {
      case "resnet18" -> ResNet.wide(uniform, channels, classes, width(spec, 64), 2, 2, 2, 2);
      case "resnet34" -> ResNet.wide(uniform, channels, classes, width(spec, 64), 3, 4, 6, 3);
      case "mobilenetv2" ->
          new MobileNetV2(uniform, channels, classes, number(spec, "width", 1, 1.0 / 32, 16));
      default -> {
        Init normal = Init.of(seeds, device, Convolutions.NORMAL_FAN_OUT);
        int stride = (int) whole(spec, "stride", 1, 1, 2);
        yield ResNet.thin(normal, channels, classes, width(spec, 16), stride, depth(name));
      }
    };
  }

  private static int width(ModelSpec.BuiltIn spec, int fallback) {
    return (int) whole(spec, "width", fallback, 1, 4096);
  }

  /** Channels and classes may be written down, but the data decides. */
  private static void same(ModelSpec.BuiltIn spec, String key, int data) {
    long said = whole(spec, key, data, 1, 1_000_000);
    if (said != data) {
      throw new UsageException(
          "model %s has %d %s, the data has %d".formatted(spec.text(), said, key, data));
    }
  }

  private static long whole(
      ModelSpec.BuiltIn spec, String key, double fallback, double low, double high) {
    double number = number(spec, key, fallback, low, high);
    if (number != Math.rint(number)) {
      throw new UsageException("model %s: %s must be a whole number".formatted(spec.text(), key));
    }
    return (long) number;
  }

  private static double number(
      ModelSpec.BuiltIn spec, String key, double fallback, double low, double high) {
    Map<String, String> options = spec.options();
    double number = options.containsKey(key) ? Options.parse(options.get(key)) : fallback;
    if (!(number >= low && number <= high)) {
      throw new UsageException(
          "model %s: %s must be a number from %s to %s, found %s"
              .formatted(spec.text(), key, low, high, options.get(key)));
    }
    return number;
  }
}
