package bridge.architecture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** MobileNetV2, VGG, ShuffleNetV2, RepVGG and the vision transformer. */
class ConvolutionalNetworksTest extends SmallArchitecturesTest {
  /** Narrow networks of every kind and option: name, channels, image size, last layer. */
  private static final String MEMBERS =
      """
      mobilenetv2:width=0.25 | 1 | 28 | linear
      mobilenetv2-chenyaofo:width=0.25 | 1 | 28 | classifier.1
      mobilenetv2-chenyaofo:width=0.125 | 3 | 64 | classifier.1
      vgg11-bn:width=0.125 | 1 | 32 | classifier.6
      vgg13-bn:width=0.0625 | 3 | 63 | classifier.6
      vgg16-kuangliu:width=0.0625 | 3 | 64 | classifier
      vgg19-kuangliu:width=0.0625 | 1 | 32 | classifier
      shufflenetv2-chenyaofo:width=0.5 | 1 | 28 | fc
      shufflenetv2-kuangliu:width=0.5 | 3 | 64 | linear
      repvgg-a0:width=0.125 | 1 | 28 | linear
      repvgg-a1:width=0.125,deploy=true | 3 | 64 | linear
      repvgg-a2:width=0.0625 | 3 | 32 | linear
      vit-b16:patch=8,depth=2,width=64,heads=2,mlp=96 | 1 | 28 | head
      vit-b16:image=32,patch=4,depth=2,width=64 | 3 | 64 | head
      """;

  private static Tensor fourImages(int channels, int size) {
    Generator generator = Generator.on(Device.CPU, 5);
    return Tensor.uniform(0, 1, generator, Device.CPU, 4, channels, size, size);
  }

  @ParameterizedTest
  @CsvSource({
    "mobilenetv2, 2296922",
    "mobilenetv2-chenyaofo, 2236682",
    "vgg11-bn, 9756426",
    "vgg16-bn, 15253578",
    "vgg19-bn, 20565834",
    "vgg16-kuangliu, 14728266",
    "shufflenetv2-chenyaofo:width=0.5, 352042",
    "shufflenetv2-chenyaofo, 1263854",
    "shufflenetv2-chenyaofo:width=1.5, 2488874",
    "shufflenetv2-chenyaofo:width=2, 5365486",
    "shufflenetv2-kuangliu, 1263854",
    "repvgg-a0, 7840874",
    "repvgg-a1, 12824202",
    "repvgg-a2, 26815690",
    "vit-b16:image=224, 85806346"
  })
  void parametersAreAsManyAsInThePublicCode(String text, long count) {
    Map<String, long[]> shapes = Architectures.shapes(text, new Dimensions(3, 10, 32));
    assertEquals(count, Architectures.fits(shapes).getFirst().parameters());
  }

  @ParameterizedTest
  @CsvSource({
    "mobilenetv2-chenyaofo:width=1.4, features.0.0.weight, 48",
    "mobilenetv2-chenyaofo:width=1.4, features.18.0.weight, 1792",
    "mobilenetv2-chenyaofo:width=0.5, features.18.0.weight, 1280",
    "shufflenetv2-chenyaofo:width=2, stage2.0.branch1.2.weight, 122",
    "shufflenetv2-kuangliu:width=2, layer1.0.conv2.weight, 112",
    "vgg16-bn:width=0.5, classifier.0.weight, 256",
    "repvgg-a2, stage0.rbr_dense.conv.weight, 64",
    "repvgg-a2:deploy=true, stage4.0.rbr_reparam.bias, 1408",
    "vit-b16:patch=4, transformer.embeddings.patch_embeddings.weight, 768"
  })
  void optionsSetTheChannels(String text, String key, long out) {
    assertEquals(out, Architectures.shapes(text, new Dimensions(3, 10, 32)).get(key)[0]);
  }

  /**
   * With every module tapped, each works on copies; if one overwrote what another still needs, the
   * logits or the gradients would be others than without.
   */
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void nothingNeededIsOverwritten(String text, int channels, int size) {
    Architecture network = drawn(text, channels, size);
    network.modules().values().stream()
        .filter(Dropout.class::isInstance)
        .forEach(dropout -> dropout.train(false));
    Tensor x = fourImages(channels, size);
    Tensor logits = network.apply(x);
    Map<String, float[]> gradients = gradients(network, logits);
    network.modules().values().forEach(m -> m.tap(_ -> {}));
    Tensor tapped = network.apply(x);
    assertArrayEquals(logits.toFloats(), tapped.toFloats());
    gradients(network, tapped)
        .forEach((name, g) -> assertArrayEquals(gradients.get(name), g, name));
    assertArrayEquals(fourImages(channels, size).toFloats(), x.toFloats());
  }

  /** Of the cross-entropy with class 1. */
  private static Map<String, float[]> gradients(Architecture network, Tensor logits) {
    network.parameters().values().forEach(Tensor::clearGrad);
    logits.logSoftmax(1).select(1, 1).mean().neg().backward();
    Map<String, float[]> gradients = new LinkedHashMap<>();
    network.parameters().forEach((name, p) -> gradients.put(name, p.grad().toFloats()));
    return gradients;
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void theLogitsFollowFromThePenultimateFeature(String text, int channels, int size, String head) {
    Architecture network = drawn(text, channels, size);
    List<Tensor> feature = new ArrayList<>();
    network.modules().get(network.penultimate()).tap(feature::add);
    Tensor logits = network.apply(fourImages(channels, size));
    assertArrayEquals(new long[] {4, CLASSES}, logits.sizes());
    Map<String, Tensor> own = network.parameters();
    Tensor again =
        feature.getFirst().flatten(1).linear(own.get(head + ".weight"), own.get(head + ".bias"));
    assertArrayEquals(logits.toFloats(), again.toFloats(), 1e-6f);
  }

  /** A bias before a normalisation has rounding for its gradient, hence the size of the step. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = MEMBERS)
  void oneTrainingStepMovesEveryParameter(String text, int channels, int size) {
    Architecture network = drawn(text, channels, size);
    Map<String, float[]> before = new LinkedHashMap<>();
    network.parameters().forEach((name, p) -> before.put(name, p.toFloats()));
    gradients(network, network.apply(fourImages(channels, size)));
    try (NoGrad _ = NoGrad.enter()) {
      network.parameters().values().forEach(p -> p.add_(p.grad(), -1e6));
    }
    network
        .parameters()
        .forEach(
            (name, p) -> {
              assertFalse(Arrays.equals(before.get(name), p.toFloats()), name);
              assertTrue(p.grad().isFinite().logicalNot().sum().item() == 0, name);
            });
  }

  @ParameterizedTest
  @CsvSource({
    "mobilenetv2-chenyaofo:width=0.125, features.0.2 features.18 classifier",
    "vgg11-bn:width=0.0625, features.3 features.28 classifier.1",
    "vgg11-kuangliu:width=0.0625, features.28 features.29 classifier",
    "shufflenetv2-chenyaofo:width=0.5, conv1.2 stage2.0.branch1 stage4.3.branch2.7 conv5.0",
    "shufflenetv2-kuangliu:width=0.5, conv1 bn1 layer1.0.conv5 layer3.3.bn3 conv2 bn2 linear",
    "repvgg-a0:width=0.125, stage0 stage1.1.rbr_identity stage4.0.rbr_1x1.bn gap linear",
    "vit-b16:width=64, transformer.embeddings transformer.encoder.layer.11.attn.out head"
  })
  void everySubmoduleIsUnderItsPublicPath(String text, String paths) {
    Architecture network = drawn(text, 3, 32);
    Map<String, Module> modules = network.modules();
    List<String> seen = new ArrayList<>();
    for (String path : paths.split(" ")) {
      modules.get(path).tap(_ -> seen.add(path));
    }
    network.apply(fourImages(3, 32));
    assertEquals(List.of(paths.split(" ")), seen);
  }

  @Test
  void dropoutDrawsInTrainingOnly() {
    for (String text : List.of("mobilenetv2-chenyaofo:width=0.125", "vit-b16:depth=1,width=64")) {
      Architecture network = drawn(text, 3, 32);
      Tensor x = fourImages(3, 32);
      assertFalse(Arrays.equals(network.apply(x).toFloats(), network.apply(x).toFloats()), text);
      network.train(false);
      assertArrayEquals(network.apply(x).toFloats(), network.apply(x).toFloats(), text);
    }
  }

  @Test
  void chenyaofosNetworksStartLikeTorchvisions() {
    Map<String, Tensor> vgg = drawn("vgg11-bn", 3, 32).parameters();
    assertEquals(0.01, deviation(vgg.get("classifier.0.weight")), 1e-4);
    assertEquals(Math.sqrt(2 / (512 * 9.0)), deviation(vgg.get("features.18.weight")), 1e-4);
    assertEquals(0, vgg.get("features.0.bias").abs().max().item());
    assertEquals(0, vgg.get("classifier.6.bias").abs().max().item());
    Map<String, Tensor> other = drawn("vgg11-kuangliu", 3, 32).parameters();
    double bound = 1 / Math.sqrt(27);
    assertEquals(bound, other.get("features.0.bias").abs().max().item(), 0.1 * bound);
    Map<String, Tensor> vit = drawn("vit-b16:depth=1", 3, 32).parameters();
    Tensor fc1 = vit.get("transformer.encoder.layer.0.ffn.fc1.weight");
    bound = Math.sqrt(6.0 / (768 + 3072));
    assertEquals(bound, fc1.abs().max().item(), 1e-3 * bound);
    assertEquals(0, vit.get("transformer.embeddings.cls_token").abs().max().item());
  }

  private static double deviation(Tensor t) {
    return Math.sqrt(t.detach().flatten(0).varianceKeep(0).item());
  }

  @ParameterizedTest
  @CsvSource({
    "repvgg-a0:width=0.25, 3, 32",
    "repvgg-a1:width=0.125, 1, 28",
    "repvgg-a2:width=0.125, 3, 64"
  })
  void aFusedRepVggComputesWhatItsBranchesDo(String text, int channels, int size) {
    try (NoGrad _ = NoGrad.enter()) {
      Architecture branches = drawn(text, channels, size);
      Generator generator = Generator.on(Device.CPU, 8);
      branches
          .stateDict()
          .forEach(
              (name, t) -> {
                if (name.contains("bn.") || name.contains("rbr_identity.")) {
                  fillNormalisation(name, t, generator);
                }
              });
      branches.train(false);
      Architecture fused = drawn(text + ",deploy=true", channels, size);
      fused.train(false);
      Map<String, Tensor> tensors = RepVgg.deploy(branches.stateDict());
      Map<String, Tensor> own = fused.stateDict();
      assertEquals(List.copyOf(own.keySet()), List.copyOf(tensors.keySet()));
      own.forEach((name, t) -> t.copy_(tensors.get(name)));
      Tensor expected = branches.apply(fourImages(channels, size));
      Tensor found = fused.apply(fourImages(channels, size));
      double largest = expected.abs().max().item();
      assertEquals(0, found.sub(expected).abs().max().item(), 1e-5 * largest);
    }
  }

  private static void fillNormalisation(String name, Tensor t, Generator generator) {
    if (name.endsWith("running_var") || name.endsWith("weight")) {
      t.uniform_(0.5, 1.5, generator);
    } else if (!name.endsWith("num_batches_tracked")) {
      t.uniform_(-0.2, 0.2, generator);
    }
  }

  @Test
  void onlyATrainingFormCanBeFused() {
    Map<String, Tensor> other = drawn("resnet8", 3, 32).stateDict();
    UsageException e = assertThrows(UsageException.class, () -> RepVgg.deploy(other));
    assertEquals(
        "the tensors are of no RepVGG in training form: stage0.rbr_dense.conv.weight is missing",
        e.getMessage());
    Map<String, Tensor> torn = new LinkedHashMap<>(drawn("repvgg-a0", 3, 32).stateDict());
    torn.remove("stage2.1.rbr_identity.bias");
    e = assertThrows(UsageException.class, () -> RepVgg.deploy(torn));
    assertTrue(e.getMessage().endsWith(": stage2.1.rbr_identity.bias is missing"));
  }

  @Test
  void aVisionTransformerResizesWhatIsOfAnotherSize() {
    String text = "vit-b16:image=32,patch=8,depth=1,width=64";
    Architecture network = drawn(text, 3, 28);
    network.train(false);
    Tensor x = fourImages(3, 28);
    assertArrayEquals(network.apply(x.resize(32, 32)).toFloats(), network.apply(x).toFloats());
    Map<String, Tensor> larger = drawn("vit-b16:patch=8,depth=1,width=64", 3, 64).stateDict();
    assertEquals(65, larger.get("transformer.embeddings.position_embeddings").size(1));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "vgg16-bn | 28 | vgg16-bn takes images of 32 to 63 pixels, found 28; take another network",
        "vgg11-bn | 64 | vgg11-bn takes images of 32 to 63 pixels, found 64",
        "vgg19-kuangliu | 31 | vgg19-kuangliu takes images of 32 or more pixels, found 31",
        "vgg12-bn | 32 | unknown architecture vgg12-bn; did you mean vgg11-bn?",
        "vgg16-bn:width=0 | 32 | model vgg16-bn.width must be a number from 0.015625 to 16",
        "shufflenetv2-kuangliu:width=0.75 | 32 | width must be one of [0.5, 1.0, 1.5, 2.0], found"
            + " 0.75",
        "repvgg-a3 | 32 | unknown architecture repvgg-a3; did you mean repvgg-a0?",
        "repvgg-a1:deploy=1 | 32 | deploy must be true or false",
        "vit-b16:image=30 | 32 | model vit-b16.image must be a multiple of patch, which is 16,"
            + " found 30",
        "vit-b16:heads=5 | 32 | model vit-b16.width must be a multiple of heads, which is 5, found"
            + " 768",
        "vit-b16:deph=3 | 32 | unknown key model vit-b16.deph; did you mean depth?"
      })
  void whatCannotBeIsSaidInOneLine(String text, int size, String message) {
    UsageException e = assertThrows(UsageException.class, () -> drawn(text, 3, size));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }
}
