package bridge.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.DType;
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
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TorchScript files against what PyTorch computed with them (make_torchscript.py). */
class ScriptNetworkTest extends NestedScriptTest {
  /** Sums in another order than PyTorch's own build; values are of size 1. */
  private static final double TOLERANCE = 2e-5;

  private static List<String> texts(String key) {
    return want.getAsJsonArray(key).asList().stream().map(JsonElement::getAsString).toList();
  }

  private static List<String> taps() {
    return List.copyOf(want.getAsJsonObject("features").keySet());
  }

  private static void assertClose(JsonElement expected, Tensor found, String what) {
    try (Scope _ = Scope.open("compare")) {
      Tensor e = tensor(expected);
      assertEquals(Arrays.toString(e.sizes()), Arrays.toString(found.sizes()), what);
      assertEquals(0, e.sub(found.detach()).abs().max().item(), TOLERANCE, what);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nested.pt", "traced.pt", "frozen.pt"})
  void logitsAndInputGradientAreThoseOfPyTorch(String file) {
    Network network = load(file);
    Tensor x = images().requiresGrad_(true);
    Tensor logits = network.logits(x);
    assertClose(want.get("logits"), logits, "logits");
    assertClose(want.get("input_gradient"), logits.pow(2).sum().gradient(x), "gradient");
  }

  @ParameterizedTest
  @ValueSource(strings = {"nested.pt", "traced.pt"})
  void featuresOfAnyDepthAreThoseOfPyTorchsHooks(String file) {
    Network network = load(file);
    Map<String, Tensor> all = network.forward(images(), taps()).features();
    for (String path : taps()) {
      JsonElement expected = want.getAsJsonObject("features").get(path);
      assertClose(expected, all.get(path), path);
      assertClose(expected, network.forward(images(), List.of(path)).features().get(path), path);
    }
    assertEquals(taps(), List.copyOf(all.keySet()));
  }

  @Test
  void tapsChangeNoBitOfLogitsOrGradients() {
    Network network = load("nested.pt");
    for (boolean training : new boolean[] {false, true}) {
      network.train(training);
      Tensor x = images().requiresGrad_(true);
      Tensor plain = network.logits(x);
      Network.Outputs tapped = network.forward(x, taps());
      assertArrayEquals(plain.toFloats(), tapped.logits().toFloats());
      assertArrayEquals(
          plain.pow(2).sum().gradient(x).toFloats(),
          tapped.logits().pow(2).sum().gradient(x).toFloats());
    }
  }

  @Test
  void gradientsFlowFromFeatures() {
    Network network = load("nested.pt");
    Tensor x = images().requiresGrad_(true);
    Tensor feature = network.forward(x, List.of("layer1.1")).features().get("layer1.1");
    assertTrue(feature.pow(2).sum().gradient(x).abs().max().item() > 0);
  }

  @Test
  void laterCallsRepeatTheFirstBitByBit() {
    Network network = load("nested.pt");
    Tensor x = images().requiresGrad_(true);
    float[] first = network.logits(x).toFloats();
    float[] gradient = network.logits(x).pow(2).sum().gradient(x).toFloats();
    for (int i = 0; i < 20; i++) {
      Tensor logits = network.forward(x, i % 2 == 0 ? List.of() : List.of("pool")).logits();
      assertArrayEquals(first, logits.toFloats());
      assertArrayEquals(gradient, logits.pow(2).sum().gradient(x).toFloats());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nested.pt", "traced.pt"})
  void namesStandInTheOrderOfStateDict(String file) {
    Network network = load(file);
    assertEquals(texts("state_dict"), List.copyOf(network.stateDict().keySet()));
    assertEquals(texts("parameters"), List.copyOf(network.parameters().keySet()));
  }

  @Test
  void trainingUsesAndMovesBatchStatistics() {
    Network network = load("nested.pt");
    network.train(true);
    assertClose(want.get("train_logits"), network.logits(images()), "logits");
    assertClose(
        want.get("train_running_var"),
        network.buffers().get("layer2.0.shortcut.1.running_var"),
        "running variance");
  }

  @Test
  void evaluationLeavesBuffersAlone() {
    Network network = load("nested.pt");
    var before = network.buffers().values().stream().map(Tensor::toDoubles).toList();
    network.forward(images(), taps());
    var after = network.buffers().values().stream().map(Tensor::toDoubles).toList();
    for (int i = 0; i < before.size(); i++) {
      assertArrayEquals(before.get(i), after.get(i));
    }
  }

  @Test
  void aStepOnTheParametersChangesTheLogits() {
    Network network = load("nested.pt");
    Tensor scale = network.parameters().get("scale");
    network.logits(images()).pow(2).sum().backward();
    double gradient = want.get("scale_gradient").getAsDouble();
    assertEquals(gradient, scale.grad().item(), 1e-4 * Math.abs(gradient));
    float[] before = network.logits(images()).toFloats();
    try (NoGrad _ = NoGrad.enter()) {
      scale.add_(scale.grad(), -0.01);
    }
    assertFalse(Arrays.equals(before, network.logits(images()).toFloats()));
  }

  @Test
  void nothingStaysAliveAfterManyCalls() {
    Network network = load("nested.pt");
    Tensor x = images();
    try (Scope _ = Scope.open("first")) {
      network.forward(x, taps());
    }
    long before = Scope.alive();
    for (int i = 0; i < 50; i++) {
      try (Scope _ = Scope.open("call")) {
        network.forward(x, i % 2 == 0 ? taps() : List.of());
        network.train(i % 3 == 0);
      }
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void nothingStaysAliveAfterTheNetwork() {
    long before = Scope.alive();
    try (Scope _ = Scope.open("network")) {
      Network network = load("nested.pt");
      network.forward(images(), taps());
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void aCallLeavesOnlyItsResultsInTheScope() {
    Network network = load("nested.pt");
    Tensor x = images();
    network.forward(x, List.of("pool"));
    long before = Scope.alive();
    network.forward(x, List.of("pool"));
    assertEquals(before + 2, Scope.alive());
  }

  @Test
  void normalisationComesFirst() {
    Network plain = load("nested.pt");
    Network normalised =
        Models.build(
            ModelSpec.parse(FOLDER.resolve("nested.pt").toString()),
            1,
            10,
            12,
            new Normalisation(List.of(0.25), List.of(0.5)),
            new Seeds(1),
            Device.CPU);
    assertArrayEquals(
        plain.logits(images().sub(0.25).div(0.5)).toFloats(),
        normalised.logits(images()).toFloats());
  }

  @Test
  void theFeatureIsFoundBeforeTheLastLinearLayer() {
    assertEquals("classifier.1", load("nested.pt").penultimate());
    assertEquals("classifier.1", load("traced.pt").penultimate());
  }

  @Test
  void theCardNamesTheFeature(@TempDir Path folder) throws IOException {
    Path file = Files.copy(FOLDER.resolve("nested.pt"), folder.resolve("my.net.pt"));
    Files.writeString(folder.resolve("my.net.json"), "{\"feature\": {\"module\": \"pool\"}}");
    assertEquals("pool", load(file, 10, 12).penultimate());
    Files.writeString(folder.resolve("my.net.json"), "{");
    assertMessage("my.net.json", () -> load(file, 10, 12));
  }

  @Test
  void everyTeacherGivesTheFeatureOfItsCard() throws IOException {
    List<Path> cards;
    try (Stream<Path> files = Files.list(Path.of("models"))) {
      cards = files.filter(f -> f.toString().endsWith(".json")).toList();
    }
    for (Path card : cards) {
      JsonObject o = JsonParser.parseString(Files.readString(card)).getAsJsonObject();
      int size = o.get("image_size").getAsInt();
      Network teacher =
          load(card.resolveSibling(o.get("file").getAsString()), o.get("classes").getAsInt(), size);
      String path = teacher.penultimate();
      assertEquals(o.getAsJsonObject("feature").get("module").getAsString(), path);
      Tensor x = Tensor.zeros(DType.FLOAT32, Device.CPU, 2, 1, size, size);
      Tensor vector = Features.vector(teacher.forward(x, List.of(path)).features().get(path));
      assertEquals(o.getAsJsonObject("feature").get("channels").getAsLong(), vector.size(1));
    }
  }
}
