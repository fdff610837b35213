package bridge.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import bridge.torch.DType;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Reads every case of {@code ${golden}/checkpoints/index.json}: one small network in many layouts,
 * with the logits it must give, and files that must be refused.
 */
final class GoldenCheckpointsTest {
  private static final Path FOLDER =
      Path.of(System.getProperty("golden", "tests/golden"), "checkpoints");

  /** TorchScript has the order of a module's attributes, safetensors' library sorts. */
  private static final Set<Format> IN_ORDER = EnumSet.of(Format.ZIP, Format.LEGACY, Format.TAR);

  @TestFactory
  Stream<DynamicTest> everyCaseIsReadOrRefusedAsItSays() throws IOException {
    if (!Files.exists(FOLDER.resolve("index.json"))) {
      return Stream.of(
          dynamicTest(
              "none", () -> Assumptions.abort("there is no " + FOLDER.resolve("index.json"))));
    }
    JsonObject index = json("index.json").getAsJsonObject();
    return objects(index.getAsJsonArray("files"))
        .map(c -> dynamicTest(c.get("file").getAsString(), () -> check(index, c)));
  }

  private static void check(JsonObject index, JsonObject golden) throws IOException {
    long alive = Scope.alive();
    Path marker = Path.of("PWNED");
    assertFalse(Files.exists(marker), "a marker of an earlier run is in the way");
    try (Scope _ = Scope.open("golden")) {
      switch (golden.get("expect").getAsString()) {
        case "load", "load-torchscript" -> load(index, golden);
        case "load-tensors" -> zoo(golden);
        case "refuse" -> refuse(index, golden);
        case "load-or-refuse" -> {
          try {
            load(index, golden);
          } catch (CheckpointException e) {
            assertOneLine(e, golden);
          }
        }
        default -> Assumptions.abort("no test for what it expects: " + golden.get("expect"));
      }
    }
    assertFalse(Files.exists(marker), "the file ran a command");
    assertEquals(alive, Scope.alive(), "native objects alive");
  }

  private static void load(JsonObject index, JsonObject golden) {
    try (StateDict state = read(golden);
        TensorFile expected = TensorFile.read(FOLDER.resolve("expected.safetensors"))) {
      assertEquals(text(golden, "container_key"), state.nestedUnder());
      assertEquals(text(golden, "key_prefix"), state.strippedPrefix());
      Map<String, long[]> shapes = shapes(index);
      Map<String, Tensor> weights = state.match(shapes);
      List<String> present = new ArrayList<>(shapes.keySet());
      present.retainAll(weights.keySet());
      if (IN_ORDER.contains(state.format())) {
        assertEquals(List.copyOf(state.tensors().keySet()), present, "order of names");
      }
      Tensor logits = new SmallNet(weights).logits(expected.tensors().get("x"));
      Tensor wanted = expected.tensors().get(golden.get("logits").getAsString());
      double difference = logits.sub(wanted).abs().max().item();
      double most = index.getAsJsonObject("tolerance").get("logits_abs").getAsDouble();
      assertTrue(difference <= most, "logits differ by " + difference + ", allowed " + most);
    }
  }

  private static StateDict read(JsonObject golden) {
    return Checkpoints.read(FOLDER.resolve(golden.get("file").getAsString()));
  }

  private static void refuse(JsonObject index, JsonObject golden) {
    var e =
        assertThrows(
            CheckpointException.class,
            () -> {
              try (StateDict state = read(golden)) {
                state.match(shapes(index));
              }
            });
    assertOneLine(e, golden);
    for (String list : new String[] {"missing", "unexpected"}) {
      if (golden.has(list)) {
        golden
            .getAsJsonArray(list)
            .forEach(key -> assertTrue(e.getMessage().contains(key.getAsString()), e::getMessage));
      }
    }
    assertTrue(e.getMessage().contains(text(golden, "key")), e::getMessage);
  }

  private static void assertOneLine(CheckpointException e, JsonObject golden) {
    assertEquals(1, e.getMessage().lines().count(), e::getMessage);
    assertTrue(e.getMessage().contains(golden.get("file").getAsString()), e::getMessage);
  }

  private static void zoo(JsonObject golden) throws IOException {
    JsonObject expected = json(golden.get("values").getAsString()).getAsJsonObject();
    try (StateDict state = read(golden)) {
      assertEquals(List.copyOf(expected.keySet()), List.copyOf(state.tensors().keySet()));
      expected
          .entrySet()
          .forEach(
              e -> {
                JsonObject wanted = e.getValue().getAsJsonObject();
                Tensor tensor = state.tensors().get(e.getKey());
                assertEquals(
                    DType.valueOf(wanted.get("dtype").getAsString().toUpperCase(Locale.ROOT)),
                    tensor.dtype(),
                    e.getKey());
                assertEquals(
                    numbers(wanted.getAsJsonArray("shape")),
                    Arrays.stream(tensor.sizes()).mapToObj(n -> (double) n).toList(),
                    e.getKey());
                assertEquals(
                    numbers(wanted.getAsJsonArray("values_row_major")),
                    Arrays.stream(tensor.toDoubles()).boxed().toList(),
                    e.getKey());
              });
    }
  }

  private static List<Double> numbers(JsonArray array) {
    return StreamSupport.stream(array.spliterator(), false)
        .map(
            e ->
                switch (e.getAsString()) {
                  case "inf" -> Double.POSITIVE_INFINITY;
                  case "-inf" -> Double.NEGATIVE_INFINITY;
                  case "nan" -> Double.NaN;
                  default -> e.getAsDouble();
                })
        .toList();
  }

  private static Map<String, long[]> shapes(JsonObject index) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    objects(index.getAsJsonArray("expected_state_dict"))
        .forEach(
            o ->
                shapes.put(
                    o.get("key").getAsString(),
                    numbers(o.getAsJsonArray("shape")).stream()
                        .mapToLong(Double::longValue)
                        .toArray()));
    return shapes;
  }

  private static String text(JsonObject object, String name) {
    return object.has(name) ? object.get(name).getAsString() : "";
  }

  private static Stream<JsonObject> objects(JsonArray array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonElement::getAsJsonObject);
  }

  private static JsonElement json(String name) throws IOException {
    return JsonParser.parseString(Files.readString(FOLDER.resolve(name)));
  }

  /** The golden files' network: three convolutions with batch normalisation, and a linear layer. */
  private record SmallNet(Map<String, Tensor> weights) {
    private static final double EPSILON = 1e-5;

    Tensor logits(Tensor x) {
      Tensor h = block(block(block(x, 1, 1), 2, 2), 3, 2);
      return h.mean(2, 3).linear(weight("fc.weight"), weight("fc.bias"));
    }

    private Tensor block(Tensor x, int number, int stride) {
      Tensor h =
          x.conv2d(
              weight("conv" + number + ".weight"), weight("conv" + number + ".bias"), stride, 1, 1);
      String bn = "bn" + number + ".";
      return h.batchNorm(
              weight(bn + "weight"),
              weight(bn + "bias"),
              weight(bn + "running_mean"),
              weight(bn + "running_var"),
              false,
              0.1,
              EPSILON)
          .relu();
    }

    private Tensor weight(String name) {
      return weights.containsKey(name) ? weights.get(name).to(DType.FLOAT32) : null;
    }
  }
}
