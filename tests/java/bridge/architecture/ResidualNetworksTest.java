package bridge.architecture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The residual, dense and small networks: sizes, features, and that they train. */
class ResidualNetworksTest extends SmallArchitecturesTest {
  @ParameterizedTest
  @CsvSource({
    "resnet18, 10, 11173962",
    "resnet18, 100, 11220132",
    "resnet18, 200, 11271432",
    "resnet50, 10, 23520842",
    "resnet20, 10, 272474",
    "resnet56, 100, 861620",
    "resnet110, 10, 1730714",
    "preactresnet18, 10, 11171146",
    "preactresnet18:bn=true, 10, 11172170",
    "wrn-28-10, 10, 36479194",
    "wrn-34-10, 10, 46160474",
    "wrn-34-10:subblock=true, 10, 48262586",
    "wrn-34-10, 100, 46218164",
    "wrn-34-10:subblock=true, 100, 48320276",
    "wrn-34-20, 10, 184531674",
    "'wrn-34-20:subblock=true,bias=false', 10, 192883056",
    "wrn-22-6, 100, 9693108",
    "dm-wrn-22-6, 100, 9693108",
    "dm-wrn-70-16, 10, 266796506",
    "dm-wrn-70-16, 100, 266888756",
    "densenet121, 10, 6956298",
    "densenet-cifar, 10, 1000618"
  })
  void parametersAreAsManyAsInThePublicCode(String text, int classes, long count) {
    Architecture network = build(text, new Dimensions(3, classes, 32), Init.shapes());
    assertEquals(
        count, network.parameters().values().stream().mapToLong(Tensor::numel).sum(), text);
  }

  /** Narrow networks of every kind and option: name, channels, image size, last layer. */
  private static final String MEMBERS =
      """
      resnet50:width=4 | 3 | 28 | linear
      preactresnet18:width=4 | 1 | 28 | linear
      preactresnet18:width=4,bn=true | 3 | 64 | linear
      preactresnet18:width=4,shortcut=activated | 3 | 28 | linear
      preactresnet34:width=4,bn=true,shortcut=activated | 1 | 32 | linear
      preactresnet50:width=4,shortcut=raw | 3 | 32 | linear
      dm-preactresnet18:width=4 | 1 | 28 | logits
      dm-preactresnet18:width=4,normalise=none,activation=relu | 3 | 28 | logits
      dm-preactresnet34:width=4,normalise=cifar100 | 3 | 32 | logits
      wrn-10-1 | 1 | 28 | fc
      wrn-16-2:subblock=true | 3 | 64 | fc
      wrn-10-1:bias=false | 3 | 28 | fc
      wrn-10-1:subblock=true,bias=false,cosine=true | 3 | 32 | fc
      dm-wrn-10-1 | 1 | 28 | logits
      dm-wrn-16-2:activation=relu | 3 | 64 | logits
      densenet121:growth=2 | 1 | 28 | linear
      densenet121:growth=4 | 3 | 32 | linear
      smallcnn | 1 | 28 | classifier.fc3
      smallcnn | 3 | 64 | classifier.fc3
      """;

  /**
   * With every module tapped, each works on copies; if one overwrote what another still needs, the
   * logits or the gradients would be others than without.
   */
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void nothingNeededIsOverwritten(String text, int channels, int size) {
    Architecture network = drawn(text, channels, size);
    moveHead(network);
    network.modules().values().stream()
        .filter(Dropout.class::isInstance)
        .forEach(dropout -> dropout.train(false));
    Tensor x = images(channels, size);
    Tensor logits = network.apply(x);
    Map<String, float[]> gradients = gradients(network, logits);
    network.modules().values().forEach(m -> m.tap(_ -> {}));
    Tensor tapped = network.apply(x);
    assertArrayEquals(logits.toFloats(), tapped.toFloats());
    gradients(network, tapped)
        .forEach((name, g) -> assertArrayEquals(gradients.get(name), g, name));
  }

  /** A last layer that starts at 0 would hide what is before it. */
  private static void moveHead(Architecture network) {
    try (NoGrad _ = NoGrad.enter()) {
      network.parameters().values().stream()
          .filter(p -> p.dim() == 2)
          .forEach(p -> p.uniform_(-0.1, 0.1, Generator.on(Device.CPU, 9)));
    }
  }

  /** Of the cross-entropy with class 1. */
  private static Map<String, float[]> gradients(Architecture network, Tensor logits) {
    network.parameters().values().forEach(Tensor::clearGrad);
    logits.logSoftmax(1).select(1, 1).mean().neg().backward();
    Map<String, float[]> gradients = new LinkedHashMap<>();
    network
        .parameters()
        .forEach(
            (name, p) -> {
              Tensor g = p.grad();
              gradients.put(name, g == null ? new float[0] : g.toFloats());
            });
    return gradients;
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void theLogitsFollowFromThePenultimateFeature(String text, int channels, int size, String head) {
    Architecture network = drawn(text, channels, size);
    moveHead(network);
    network.train(false);
    List<Tensor> feature = new ArrayList<>();
    network.modules().get(network.penultimate()).tap(feature::add);
    Tensor logits = network.apply(images(channels, size));
    assertArrayEquals(new long[] {BATCH, CLASSES}, logits.sizes());
    Tensor x = feature.getFirst().flatten(1);
    Tensor weight = network.parameters().get(head + ".weight");
    Tensor again =
        text.contains("cosine=true") // features and weights on the unit sphere
            ? x.div(x.norm2Keep(1)).linear(weight.div(weight.norm2Keep(1)), null)
            : x.linear(weight, network.parameters().get(head + ".bias"));
    assertArrayEquals(logits.toFloats(), again.toFloats(), 1e-6f);
  }

  /** Two steps, since a last layer that starts at 0 stops the first one's gradient. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void trainingMovesEveryParameterThatIsUsed(String text, int channels, int size) {
    Architecture network = drawn(text, channels, size);
    Map<String, float[]> before = new LinkedHashMap<>();
    network.parameters().forEach((name, p) -> before.put(name, p.toFloats()));
    for (int step = 0; step < 2; step++) {
      gradients(network, network.apply(images(channels, size)));
      try (NoGrad _ = NoGrad.enter()) {
        for (Tensor p : network.parameters().values()) {
          Tensor g = p.grad();
          if (g != null) {
            p.add_(g, -1);
          }
        }
      }
    }
    network
        .parameters()
        .forEach(
            (name, p) ->
                assertEquals(
                    name.startsWith("sub_block1."),
                    Arrays.equals(before.get(name), p.toFloats()),
                    name));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void aNetworkIsKnownByItsTensors(String text, int channels, int size) {
    Dimensions data = new Dimensions(channels, CLASSES, size);
    List<Architectures.Fit> fits = Architectures.fits(Architectures.shapes(text, data));
    Architectures.Fit fit =
        fits.stream().filter(f -> f.text().equals(text)).findFirst().orElseThrow();
    assertTrue(fit.exact());
    assertEquals(data.classes(), fit.data().classes());
    assertEquals(channels, fit.data().channels());
  }

  /** Padded by 2 and brought to [-1, 1]: black becomes -1, around the image too. */
  @Test
  void deepMindsGreyImagesAreFramedInBlack() {
    Architecture network = drawn("dm-wrn-10-1", 1, 28);
    List<Tensor> seen = new ArrayList<>();
    network.modules().get("normalise").tap(seen::add);
    network.apply(images(1, 28));
    Tensor x = seen.getFirst();
    assertArrayEquals(new long[] {BATCH, 1, 32, 32}, x.sizes());
    assertEquals(-1, x.narrow(2, 0, 2).max().item());
    assertEquals(-1, x.narrow(3, 30, 2).max().item());
    assertArrayEquals(
        images(1, 28).mul(2).sub(1).toFloats(),
        x.narrow(2, 2, 28).narrow(3, 2, 28).contiguous().toFloats(),
        1e-6f);
  }

  /** A kernel that copies the pixel at its centre shows where a map is sampled. */
  @Test
  void deepMindsConvolutionsOfStrideTwoPadAtTheEnd() {
    Conv2d conv = Conv2d.same(Init.of(new Seeds(1), Device.CPU), 1, 1, 3, 2);
    try (NoGrad _ = NoGrad.enter()) {
      conv.parameters().get("weight").zero_();
      conv.parameters().get("weight").narrow(2, 1, 1).narrow(3, 1, 1).zero_().add_(1);
      Tensor x = Tensor.arange(16, Device.CPU).to(DType.FLOAT32).view(1, 1, 4, 4);
      assertArrayEquals(new float[] {5, 7, 13, 15}, conv.apply(x).toFloats());
    }
  }

  @Test
  void publicModulePathsAreThere() {
    assertTrue(
        drawn("wrn-10-1", 3, 32)
            .modules()
            .keySet()
            .containsAll(
                List.of("conv1", "block1", "block2.layer.0.relu1", "block3", "bn1", "relu", "fc")));
    assertTrue(
        drawn("dm-wrn-10-1", 3, 32)
            .modules()
            .keySet()
            .containsAll(
                List.of("init_conv", "layer.0.block.0.relu_0", "batchnorm", "relu", "logits")));
    assertTrue(
        drawn("smallcnn", 1, 28)
            .modules()
            .keySet()
            .containsAll(List.of("feature_extractor.maxpool2", "classifier.drop")));
  }

  @Test
  void theUnusedGroupComesAfterTheFirst() {
    List<String> groups =
        drawn("wrn-10-1:subblock=true", 3, 32).stateDict().keySet().stream()
            .map(key -> key.substring(0, key.indexOf('.')))
            .distinct()
            .toList();
    assertEquals(List.of("conv1", "block1", "sub_block1", "block2", "block3", "bn1", "fc"), groups);
  }

  @Test
  void weightsStartAsInThePublicCode() {
    Map<String, Tensor> wide = drawn("wrn-10-4", 3, 32).parameters();
    double std = Math.sqrt(2.0 / (9 * 256));
    assertEquals(std, spread(wide.get("block3.layer.0.conv2.weight")), 0.02 * std);
    assertEquals(0, wide.get("fc.bias").abs().max().item());
    Map<String, Tensor> small = drawn("smallcnn", 1, 28).parameters();
    std = Math.sqrt(2.0 / (9 * 32));
    assertEquals(std, spread(small.get("feature_extractor.conv3.weight")), 0.02 * std);
    assertEquals(0, small.get("feature_extractor.conv3.bias").abs().max().item());
    assertEquals(0, small.get("classifier.fc3.weight").abs().max().item());
    Map<String, Tensor> preAct = drawn("preactresnet18:width=16", 3, 32).parameters();
    double bound = 1 / Math.sqrt(9 * 128);
    assertEquals(bound, preAct.get("layer4.1.conv2.weight").abs().max().item(), 0.01 * bound);
  }

  private static double spread(Tensor t) {
    return Math.sqrt(t.mul(t).mean().item());
  }
}
