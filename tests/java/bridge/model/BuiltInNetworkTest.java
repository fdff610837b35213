package bridge.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BuiltInNetworkTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Network build(String text, int channels, int size, Normalisation normalisation) {
    return Models.build(
        ModelSpec.parse(text), channels, 10, size, normalisation, new Seeds(7), Device.CPU);
  }

  private static Network small() {
    return build("resnet8:width=4", 1, 28, Normalisation.NONE);
  }

  private static Tensor images(long... shape) {
    return Tensor.uniform(0, 1, Generator.on(Device.CPU, 3), Device.CPU, shape);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet18:width=8",
        "resnet34:width=4",
        "resnet8",
        "resnet14:width=8,stride=2",
        "resnet20",
        "resnet110:width=2",
        "mobilenetv2:width=0.25"
      })
  void everyArchitectureTakesGreyAndLargeImages(String text) {
    for (int size : new int[] {28, 64}) {
      try (Scope _ = Scope.open("size");
          NoGrad _ = NoGrad.enter()) {
        int channels = size == 28 ? 1 : 3;
        Network network = build(text, channels, size, Normalisation.NONE);
        Network.Outputs out =
            network.forward(images(2, channels, size, size), List.of(network.penultimate()));
        assertEquals("[2, 10]", Arrays.toString(out.logits().sizes()));
        assertTrue(out.logits().isFinite().to(DType.FLOAT32).min().item() == 1);
        Tensor vector = Features.vector(out.features().get(network.penultimate()));
        String head =
            text.startsWith("mobile") || text.matches("resnet(18|34).*") ? "linear" : "fc";
        assertEquals(network.parameters().get(head + ".weight").size(1), vector.size(1));
      }
    }
  }

  @Test
  void parameterCountsAreThePublishedOnes() {
    Map<String, Long> published =
        Map.of(
            "resnet20", 272_474L,
            "resnet32", 466_906L,
            "resnet44", 661_338L,
            "resnet110", 1_730_714L,
            "resnet18", 11_173_962L,
            "mobilenetv2", 2_296_922L);
    published.forEach(
        (name, count) -> {
          try (Scope _ = Scope.open("count")) {
            var parameters = build(name, 3, 32, Normalisation.NONE).parameters().values();
            assertEquals(count, parameters.stream().mapToLong(Tensor::numel).sum(), name);
          }
        });
  }

  @Test
  void evaluationLeavesBuffersAlone() {
    Network network = small();
    network.train(false);
    List<double[]> before = network.buffers().values().stream().map(Tensor::toDoubles).toList();
    network.logits(images(4, 1, 28, 28));
    List<double[]> after = network.buffers().values().stream().map(Tensor::toDoubles).toList();
    for (int i = 0; i < before.size(); i++) {
      assertArrayEquals(before.get(i), after.get(i));
    }
  }

  @Test
  void trainingMovesStatisticsByATenth() {
    Network network = small();
    Map<String, Tensor> buffers = network.buffers();
    Tensor y = network.forward(images(4, 1, 28, 28), List.of("conv1")).features().get("conv1");
    double n = 4 * 28 * 28;
    Tensor mean = y.mean(0, 2, 3).mul(0.1);
    Tensor variance = y.varianceKeep(0, 2, 3).flatten(0).mul(0.1 * n / (n - 1)).add(0.9);
    assertClose(mean, buffers.get("bn1.running_mean"));
    assertClose(variance, buffers.get("bn1.running_var"));
    assertEquals(1, buffers.get("bn1.num_batches_tracked").itemLong());
    assertEquals(DType.INT64, buffers.get("bn1.num_batches_tracked").dtype());
  }

  private static void assertClose(Tensor expected, Tensor found) {
    double difference = expected.sub(found).abs().max().item();
    assertEquals(0, difference, 1e-6, Arrays.toString(expected.sizes()));
  }

  @Test
  void tapsAreWhatTheModulesGaveAndChangeNoBit() {
    Network network = small();
    network.train(false);
    Tensor x = images(2, 1, 28, 28);
    List<String> paths = List.of("bn1", "layer1", "layer1.0.bn2", "layer2.0.downsample", "avgpool");
    Network.Outputs out = network.forward(x, paths);
    Map<String, Tensor> f = out.features();
    assertArrayEquals(network.logits(x).toFloats(), out.logits().toFloats());
    assertTrue(f.get("bn1").min().item() < 0, "shown before the ReLU");
    Tensor block = f.get("layer1.0.bn2").add(f.get("bn1").relu()).relu();
    assertArrayEquals(block.toFloats(), f.get("layer1").toFloats());
    Map<String, Tensor> state = network.stateDict();
    Tensor shortcut =
        f.get("layer1")
            .conv2d(state.get("layer2.0.downsample.0.weight"), null, 2, 0, 1)
            .div(Math.sqrt(1 + 1e-5));
    assertClose(shortcut, f.get("layer2.0.downsample"));
    Tensor logits =
        Features.vector(f.get("avgpool")).linear(state.get("fc.weight"), state.get("fc.bias"));
    assertClose(logits, out.logits());
  }

  @Test
  void gradientsReachImagesAndParametersThroughTaps() {
    Network network = small();
    Tensor x = images(2, 1, 28, 28).requiresGrad_(true);
    Network.Outputs out = network.forward(x, List.of("layer1.0.bn1", "layer3"));
    Tensor loss = out.features().get("layer1.0.bn1").pow(2).sum().add(out.logits().sum());
    loss.backward();
    assertTrue(x.grad().abs().max().item() > 0);
    network.parameters().forEach((name, p) -> assertTrue(p.grad() != null, name));
  }

  @Test
  void aFrozenNetworkStillGivesInputGradients() {
    Network network = small();
    network.freeze();
    Tensor x = images(2, 1, 28, 28).requiresGrad_(true);
    assertTrue(network.logits(x).sum().gradient(x).abs().max().item() > 0);
    assertFalse(network.training());
  }

  @Test
  void anUnknownTapIsRefusedAndLeavesNoneBehind() {
    Network network = small();
    Tensor x = images(2, 1, 28, 28);
    UsageException e =
        assertThrows(UsageException.class, () -> network.forward(x, List.of("layer1", "layer9")));
    assertTrue(e.getMessage().contains("no submodule layer9; there are [conv1, bn1,"));
    assertEquals(Map.of(), network.forward(x, List.of()).features());
  }

  @Test
  void normalisationComesFirstAndStaysOutOfTheStateDict() {
    Normalisation grey = new Normalisation(List.of(0.3, 0.4, 0.5), List.of(0.2, 0.25, 0.5));
    Network plain = build("resnet8:width=4", 3, 28, Normalisation.NONE);
    Network normalised = build("resnet8:width=4", 3, 28, grey);
    Tensor x = images(2, 3, 28, 28);
    Tensor mean = Tensor.of(new float[] {0.3f, 0.4f, 0.5f}, 1, 3, 1, 1);
    Tensor std = Tensor.of(new float[] {0.2f, 0.25f, 0.5f}, 1, 3, 1, 1);
    assertArrayEquals(
        plain.logits(x.sub(mean).div(std)).toFloats(), normalised.logits(x).toFloats());
    assertEquals(plain.stateDict().keySet(), normalised.stateDict().keySet());
    assertThrows(UsageException.class, () -> build("resnet8", 1, 28, grey));
  }

  @Test
  void theSeedAloneDecidesTheFirstWeights() {
    List<float[]> first = small().stateDict().values().stream().map(Tensor::toFloats).toList();
    List<float[]> second = small().stateDict().values().stream().map(Tensor::toFloats).toList();
    for (int i = 0; i < first.size(); i++) {
      assertArrayEquals(first.get(i), second.get(i));
    }
  }

  @Test
  void firstWeightsAreSpreadAsInPyTorch() {
    Tensor uniform =
        build("resnet18:width=32", 3, 32, Normalisation.NONE)
            .parameters()
            .get("layer2.0.conv2.weight");
    double bound = 1 / Math.sqrt(64 * 9);
    assertEquals(bound, uniform.abs().max().item(), 0.01 * bound);
    assertEquals(bound / Math.sqrt(3), std(uniform), 0.02 * bound);
    Network thin = build("resnet20", 3, 32, Normalisation.NONE);
    double normal = Math.sqrt(2.0 / (64 * 9));
    assertEquals(normal, std(thin.parameters().get("layer3.1.conv1.weight")), 0.02 * normal);
    assertTrue(thin.parameters().get("fc.bias").abs().max().item() <= 1 / Math.sqrt(64));
    assertEquals(1, thin.parameters().get("bn1.weight").min().item());
    assertEquals(0, thin.parameters().get("bn1.bias").abs().max().item());
  }

  private static double std(Tensor t) {
    return Math.sqrt(t.pow(2).mean().item() - Math.pow(t.mean().item(), 2));
  }

  @Test
  void nothingStaysAliveAfterManyCallsAndAfterTheNetwork() {
    long empty = Scope.alive();
    try (Scope _ = Scope.open("network")) {
      Network network = small();
      assertEquals(network.stateDict().size(), Scope.alive() - empty);
      Tensor x = images(2, 1, 28, 28);
      long before = Scope.alive();
      for (int i = 0; i < 50; i++) {
        try (Scope _ = Scope.open("call")) {
          network.train(i % 2 == 0);
          network.forward(x, List.of("layer1.0", "avgpool"));
        }
      }
      assertEquals(before, Scope.alive());
    }
    assertEquals(empty, Scope.alive());
  }

  @Test
  void modeIsRestoredWhateverHappens() {
    Network network = small();
    assertThrows(
        IllegalStateException.class,
        () -> {
          try (Mode _ = Mode.eval(network)) {
            assertFalse(network.training());
            throw new IllegalStateException();
          }
        });
    assertTrue(network.training());
  }

  /** Maps of every layer, kept until the step's end, were most of a step's memory. */
  @Test
  void aPassKeepsItsOutputsAndNothingElse() {
    try (Scope _ = Scope.open("test");
        NoGrad _ = NoGrad.enter()) {
      Network network = build("resnet8:width=4", 1, 28, Normalisation.NONE);
      Tensor images = images(2, 1, 28, 28);
      long before = Scope.alive();
      Network.Outputs outputs = network.forward(images, List.of("layer1"));
      assertEquals(before + 2, Scope.alive());
      assertTrue(outputs.features().get("layer1").isFinite().to(DType.INT64).min().item() == 1);
    }
  }
}
