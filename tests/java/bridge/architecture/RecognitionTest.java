package bridge.architecture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which architecture a state_dict is of, by its shapes. */
class RecognitionTest {

  static List<String> names() {
    return Architectures.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyOfferedNetworkIsKnownAgain(String name) {
    for (Dimensions data : List.of(new Dimensions(3, 10, 32), new Dimensions(1, 100, 32))) {
      assertTrue(
          known(name, data).stream().anyMatch(fit -> fit.text().matches(name + "(:.*)?")),
          data::toString);
    }
  }

  /** Fits that are all exact: each builds the same tensors in the same order. */
  private static List<Architectures.Fit> known(String text, Dimensions data) {
    Map<String, long[]> shapes = Architectures.shapes(text, data);
    List<Architectures.Fit> fits = Architectures.fits(shapes);
    assertFalse(fits.isEmpty());
    for (Architectures.Fit fit : fits) {
      assertTrue(fit.exact(), fit::toString);
      assertEquals(data.channels(), fit.data().channels());
      assertEquals(data.classes(), fit.data().classes());
      Map<String, long[]> again = Architectures.shapes(fit.text(), fit.data());
      assertEquals(List.copyOf(shapes.keySet()), List.copyOf(again.keySet()));
      again.forEach((key, shape) -> assertArrayEquals(shapes.get(key), shape, key));
    }
    return fits;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet18:width=8",
        "resnet50:width=8",
        "resnet20:width=4",
        "resnet62",
        "mobilenetv2:width=0.125",
        "mobilenetv2:width=0.35",
        "mobilenetv2:width=0.625",
        "mobilenetv2:width=0.75",
        "mobilenetv2:width=1.4",
        "mobilenetv2:width=2",
        "mobilenetv2-chenyaofo:width=0.35",
        "mobilenetv2-chenyaofo:width=0.5",
        "mobilenetv2-chenyaofo:width=0.75",
        "mobilenetv2-chenyaofo:width=1.3",
        "mobilenetv2-chenyaofo:width=1.4",
        "vgg11-bn:width=0.25",
        "vgg13-bn:width=2",
        "vgg19-kuangliu:width=0.5",
        "shufflenetv2-chenyaofo:width=0.5",
        "shufflenetv2-chenyaofo:width=1.5",
        "shufflenetv2-kuangliu:width=2",
        "repvgg-a0:deploy=true",
        "repvgg-a1:width=0.25",
        "repvgg-a2:width=0.5,deploy=true",
        "vit-b16:image=224",
        "vit-b16:image=64,patch=8",
        "vit-b16:image=32,patch=4,depth=6,width=384",
        "vit-b16:image=32,depth=3,width=192,mlp=100",
        "vit-b16:image=224,patch=14,depth=32,width=1280,heads=16"
      })
  void optionsAreReadOffTheShapes(String text) {
    for (Dimensions data : List.of(new Dimensions(3, 20, 32), new Dimensions(1, 2, 32))) {
      assertEquals(text, known(text, data).getFirst().text());
    }
  }

  /** The widths in hundredths that round to the same channels are one network. */
  @Test
  void mobileNetsOfAnyWidthAreKnown() {
    for (int hundredths = 4; hundredths <= 240; hundredths += 3) {
      String width = ":width=" + hundredths / 100.0;
      known("mobilenetv2" + width, new Dimensions(3, 10, 32));
      known("mobilenetv2-chenyaofo" + width, new Dimensions(3, 10, 32));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "resnet20, layer2.1.bn2.weight",
    "resnet50, layer3.2.conv2.weight",
    "mobilenetv2-chenyaofo:width=0.5, features.9.conv.0.1.bias",
    "vgg16-bn, features.20.weight",
    "shufflenetv2-kuangliu, layer2.3.conv1.weight",
    "repvgg-a1, stage3.5.rbr_identity.weight",
    "vit-b16:image=64, transformer.encoder.layer.7.attn.key.bias",
    "densenet121, dense3.4.conv1.weight",
    "wrn-28-10, block2.layer.1.conv1.weight"
  })
  void oneChangedShapeIsTheOnlyDifference(String text, String key) {
    Map<String, long[]> shapes = Architectures.shapes(text, new Dimensions(3, 10, 32));
    long[] changed = shapes.get(key).clone();
    changed[0]++;
    shapes.put(key, changed);
    Architectures.Fit fit = nearest(shapes);
    assertEquals(text, fit.text());
    assertEquals(1, fit.differences());
    assertTrue(fit.misshapen().getFirst().startsWith(key + " is " + Arrays.toString(changed)));
  }

  @ParameterizedTest
  @MethodSource("names")
  void oneMissingAndOneFurtherTensorAreNamed(String name) {
    Map<String, long[]> shapes = Architectures.shapes(name, new Dimensions(3, 10, 32));
    shapes.put("other.weight", new long[] {3});
    String bias =
        shapes.keySet().stream().filter(k -> k.endsWith("bias")).findFirst().orElseThrow();
    shapes.remove(bias);
    Architectures.Fit fit = nearest(shapes);
    assertTrue(fit.text().matches(name + "(:.*)?"), fit.text());
    assertEquals(List.of("other.weight [3]"), fit.unexpected());
    assertEquals(1, fit.missing().size());
    assertTrue(fit.missing().getFirst().startsWith(bias + " ["));
    assertEquals(List.of(), fit.misshapen());
  }

  /** Of shapes that nothing fits. */
  private static Architectures.Fit nearest(Map<String, long[]> shapes) {
    List<Architectures.Fit> fits = Architectures.fits(shapes);
    assertEquals(1, fits.size());
    assertFalse(fits.getFirst().exact());
    return fits.getFirst();
  }

  @ParameterizedTest
  @MethodSource("names")
  void countersMayLack(String name) {
    Map<String, long[]> shapes = Architectures.shapes(name, new Dimensions(3, 10, 32));
    shapes.keySet().removeIf(key -> key.endsWith("num_batches_tracked"));
    assertTrue(Architectures.fits(shapes).getFirst().exact());
  }

  @Test
  void noTensorsAreOfNothing() {
    assertEquals(List.of(), Architectures.fits(Map.of()));
  }

  @ParameterizedTest
  @ValueSource(longs = {1L << 40, 0, -1})
  void hostileShapesFitNothing(long length) {
    for (String name : kinds()) {
      Map<String, long[]> shapes = Architectures.shapes(name, new Dimensions(3, 10, 32));
      shapes.values().forEach(shape -> Arrays.fill(shape, length));
      assertEquals(List.of(), Architectures.fits(shapes));
      keepChannelsAndClasses(shapes);
      assertNothingFits(shapes);
    }
  }

  /** So that networks are built and compared at all. */
  private static void keepChannelsAndClasses(Map<String, long[]> shapes) {
    List<long[]> kernels = shapes.values().stream().filter(s -> s.length == 4).toList();
    kernels.getFirst()[1] = 3;
    List<long[]> layers = shapes.values().stream().filter(s -> s.length == 2).toList();
    layers.getLast()[0] = 10;
  }

  /** One name of those that differ in numbers alone. */
  private static Collection<String> kinds() {
    return names().stream()
        .collect(Collectors.toMap(n -> n.replaceAll("\\d+", ""), n -> n, (a, _) -> a))
        .values();
  }

  private static void assertNothingFits(Map<String, long[]> shapes) {
    assertTrue(Architectures.fits(shapes).stream().noneMatch(Architectures.Fit::exact));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "%d",
        "..%d..",
        "layer1.%d.conv1.weight",
        "layers.%d.conv3.weight",
        "features.%d.weight",
        "stage2.%d.branch2.0.weight",
        "stage3.%d.rbr_dense.conv.weight",
        "transformer.encoder.layer.%d.attn.query.weight",
        "dense3.%d.conv1.weight",
        "block1.layer.%d.conv1.weight",
        "layer.0.block.%d.conv_0.weight"
      })
  void thousandsOfKeysFitNothing(String key) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int i = 0; i < 5000; i++) {
      shapes.put(key.formatted(i), i % 2 == 0 ? new long[] {8, 8, 3, 3} : new long[] {8, 8});
    }
    assertNothingFits(shapes);
  }

  @ParameterizedTest
  @CsvSource({
    "transformer.embeddings.position_embeddings, 1, 2147483647, 64",
    "transformer.embeddings.patch_embeddings.weight, 64, 3, 2147483647",
    "linear.weight, 10, 1099511627776, 1",
    "classifier.weight, 10, 1099511627776, 1",
    "conv5.0.weight, 1024, 192, 1"
  })
  void oneKeyAloneFitsNothing(String key, long a, long b, long c) {
    assertNothingFits(Map.of(key, new long[] {a, b, c}));
    assertNothingFits(Map.of(key, new long[] {a, b}));
    assertNothingFits(Map.of(key, new long[0]));
  }
}
