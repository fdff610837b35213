package bridge.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import bridge.architecture.Architectures;
import bridge.checkpoint.StateDict;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Our architectures against what the papers' own code gave for weights and images that a formula
 * fills: names and shapes in order, logits, and the mean of every stage.
 */
class GoldenArchitecturesTest {
  /**
   * What a constructor's text says that a state_dict cannot: words of it, and the option that they
   * stand for.
   */
  private static final Map<String, String> SAID =
      Map.of(
          ".*(out_shortcut=True|PreActBlockV2).*", "shortcut=activated",
          ".*activation_fn=(nn\\.)?ReLU.*", "activation=relu",
          ".*DM(Wide|PreAct)ResNet\\((?!.*activation_fn).*", "activation=relu",
          ".*CIFAR100_MEAN.*", "normalise=cifar100");

  @TestFactory
  Stream<DynamicTest> namesShapesAndLogitsAreThoseOfThePublicCode() throws IOException {
    Path folder = Path.of(System.getProperty("golden", "tests/golden"), "architectures");
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(f -> f.toString().endsWith(".json")).sorted().toList().stream()
          .map(f -> dynamicTest(f.getFileName().toString(), () -> check(read(f))));
    }
  }

  private static JsonObject read(Path file) throws IOException {
    return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
  }

  /** Where words leave several networks with the same tensors, it must be one of them. */
  private static void check(JsonObject golden) {
    List<JsonObject> entries =
        golden.getAsJsonArray("state_dict").asList().stream()
            .map(JsonElement::getAsJsonObject)
            .toList();
    AssertionError first = null;
    for (String text : networks(golden, entries)) {
      try {
        check(text, golden, entries);
        return;
      } catch (AssertionError e) {
        first = first == null ? e : first;
      }
    }
    throw first;
  }

  private static void check(String text, JsonObject golden, List<JsonObject> entries) {
    long[] shape = longs(golden.get("input_shape"));
    int classes = golden.getAsJsonArray("logits_B").get(0).getAsJsonArray().size();
    try (Scope _ = Scope.open("golden");
        NoGrad _ = NoGrad.enter()) {
      Network network =
          Models.build(
              ModelSpec.parse(text),
              (int) shape[1],
              classes,
              (int) shape[2],
              new Normalisation(constants(entries, "mean|mu"), constants(entries, "std|sigma")),
              new Seeds(1),
              Device.CPU);
      assertEquals(
          entries.stream().map(e -> key(e)).filter(key -> !StateDict.isStatistic(key)).toList(),
          List.copyOf(network.stateDict().keySet()),
          text);
      fill(network, entries);
      network.train(false);
      Tensor images = tensor(shape, i -> hash(i, 123456789));
      List<String> stages =
          golden.getAsJsonArray("stage_statistics_B").asList().stream()
              .map(s -> s.getAsJsonObject().get("module").getAsString())
              .filter(network.modules()::contains)
              .toList();
      Network.Outputs out = network.forward(images, stages);
      checkStages(golden, out);
      checkLogits(golden, out.logits());
    }
  }

  /** Recognises the network as {@code inspect} does, by its tensors, then by its constructor. */
  private static List<String> networks(JsonObject golden, List<JsonObject> entries) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    entries.forEach(e -> shapes.put(key(e), longs(e.get("shape"))));
    List<Architectures.Fit> fits = Architectures.fits(shapes);
    assertFalse(fits.isEmpty(), "no architecture of ours is near");
    assertTrue(fits.getFirst().exact(), () -> "the nearest is " + fits.getFirst());
    String constructor = golden.get("constructor").getAsString();
    List<String> options =
        SAID.entrySet().stream()
            .filter(e -> constructor.matches(e.getKey()))
            .map(Map.Entry::getValue)
            .toList();
    List<String> networks =
        fits.stream()
            .map(Architectures.Fit::text)
            .filter(text -> options.stream().allMatch(text::contains))
            .toList();
    assertFalse(networks.isEmpty(), () -> "none of " + fits + " has " + options);
    return networks;
  }

  private static String key(JsonObject entry) {
    return entry.get("key").getAsString();
  }

  /** What a public class keeps in a buffer of this name to normalise with; ours do not save it. */
  private static List<Double> constants(List<JsonObject> entries, String name) {
    for (int k = 0; k < entries.size(); k++) {
      if (key(entries.get(k)).matches("(.*\\.)?(" + name + ")")) {
        long[] shape = longs(entries.get(k).get("shape"));
        float[] values = tensor(shape, rule(entries.get(k), k)).toFloats();
        return IntStream.range(0, values.length).mapToObj(i -> (double) values[i]).toList();
      }
    }
    return List.of();
  }

  private static void checkStages(JsonObject golden, Network.Outputs out) {
    for (JsonElement s : golden.getAsJsonArray("stage_statistics_B")) {
      JsonObject stage = s.getAsJsonObject();
      Tensor y = out.features().get(stage.get("module").getAsString());
      if (y != null) {
        double size = stage.get("abs_mean").getAsDouble();
        assertEquals(
            Arrays.toString(longs(stage.get("shape"))), Arrays.toString(y.sizes()), s::toString);
        assertEquals(size, y.abs().mean().item(), 1e-5 * size, s::toString);
      }
    }
  }

  private static void checkLogits(JsonObject golden, Tensor logits) {
    double tolerance = golden.getAsJsonObject("tolerance").get("logits_abs_B").getAsDouble();
    float[] ours = logits.toFloats();
    int i = 0;
    for (JsonElement row : golden.getAsJsonArray("logits_B")) {
      for (JsonElement value : row.getAsJsonArray()) {
        assertEquals(value.getAsFloat(), ours[i], tolerance, "logit " + i);
        i++;
      }
    }
    assertEquals(i, ours.length);
  }

  private static void fill(Network network, List<JsonObject> entries) {
    Map<String, Tensor> state = network.stateDict();
    for (int k = 0; k < entries.size(); k++) {
      JsonObject entry = entries.get(k);
      Tensor target = state.get(key(entry));
      if (target != null) {
        long[] shape = longs(entry.get("shape"));
        assertEquals(Arrays.toString(shape), Arrays.toString(target.sizes()), key(entry));
        target.copy_(tensor(shape, rule(entry, k)));
      }
    }
  }

  private static IntToDoubleFunction rule(JsonObject entry, int k) {
    return switch (entry.get("fill").getAsString()) {
      case "weight" -> {
        double scale = Math.sqrt(4.5 / entry.get("fan_in").getAsDouble());
        yield i -> u(i, k) * scale;
      }
      case "bias", "bn_bias", "running_mean" -> i -> 0.1 * u(i, k);
      case "bn_weight" -> i -> 1 + 0.2 * u(i, k);
      case "running_var" -> i -> 1 + 0.5 * u(i, k);
      case "num_batches_tracked" -> _ -> 0;
      default -> i -> 0.5 + 0.5 * u(i, k);
    };
  }

  private static double u(long i, long k) {
    return 2 * hash(i, k) - 1;
  }

  /** A number in [0, 1) for a place in a tensor and the tensor's number. */
  private static double hash(long i, long k) {
    long z = i + k * 0x9E3779B97F4A7C15L + 0x632BE59BD9B4E019L;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    z ^= z >>> 31;
    return (z >>> 11) * 0x1p-53;
  }

  private static Tensor tensor(long[] shape, IntToDoubleFunction value) {
    int n = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) value.applyAsDouble(i);
    }
    return Tensor.of(values, shape);
  }

  private static long[] longs(JsonElement array) {
    return array.getAsJsonArray().asList().stream().mapToLong(JsonElement::getAsLong).toArray();
  }
}
