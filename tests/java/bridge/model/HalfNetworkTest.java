package bridge.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.torch.ComputePrecision;
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
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.MethodSource;

/** Networks in half precision beside the same in float32. */
class HalfNetworkTest {
  private static final String GOLDEN = System.getProperty("golden", "tests/golden");
  private static final Normalisation COLOUR =
      new Normalisation(List.of(0.49, 0.48, 0.45), List.of(0.25, 0.24, 0.26));

  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /**
   * How far values may be from those of float32, as a share of the largest: 16 times the unit of
   * rounding, which is 2⁻⁸ and 2⁻¹¹, since the errors of ten to fifty layers add up at random.
   */
  private static double tolerance(Precision precision) {
    return 16 * (precision == Precision.BFLOAT16 ? Math.pow(2, -8) : Math.pow(2, -11));
  }

  private static Network build(String model, int channels, int size, Normalisation normalisation) {
    Network network =
        Models.build(
            ModelSpec.parse(model), channels, 10, size, normalisation, new Seeds(3), Device.CPU);
    if (!model.endsWith(".pt")) {
      settle(network, images(channels, size));
    }
    network.freeze();
    network.channelsLast(ComputePrecision.FLOAT32); // as the teachers of a run
    return network;
  }

  /** Batch statistics like those of a trained network: with the first ones activations vanish. */
  private static void settle(Network network, Tensor images) {
    try (Scope _ = Scope.open("settle");
        NoGrad _ = NoGrad.enter()) {
      for (int i = 0; i < 20; i++) {
        network.logits(images);
      }
    }
  }

  private static Network small() {
    return build("resnet8:width=8", 3, 16, COLOUR);
  }

  private static Tensor images(int channels, int size) {
    return Tensor.uniform(0, 1, Generator.on(Device.CPU, 5), Device.CPU, 3, channels, size, size);
  }

  private static void assertRounded(Tensor exact, Tensor found, Precision precision, String what) {
    assertEquals(DType.FLOAT32, found.dtype(), what);
    assertEquals(Arrays.toString(exact.sizes()), Arrays.toString(found.sizes()), what);
    assertArrayEquals(found.toFloats(), found.to(precision.type).toFloats(), what);
    double apart = exact.sub(found).abs().max().item() / exact.abs().max().item();
    assertTrue(apart <= tolerance(precision), "%s: %g of the largest".formatted(what, apart));
    assertTrue(apart > 0, what + " is as exact as float32");
  }

  private static void assertRounded(
      String model, int channels, int size, Normalisation normalisation, Precision precision) {
    try (NoGrad _ = NoGrad.enter()) {
      Network network = build(model, channels, size, normalisation);
      List<String> features = List.of(network.penultimate());
      Tensor images = images(channels, size);
      Network.Outputs exact = network.forward(images, features);
      Network half = Models.inPrecision(network, precision, channels, size);
      Network.Outputs found = half.forward(images, features);
      assertEquals(exact.features().keySet(), found.features().keySet());
      if (!model.equals("smallcnn")) { // its logits are 0 before training
        assertRounded(exact.logits(), found.logits(), precision, "logits");
      }
      exact
          .features()
          .forEach((path, f) -> assertRounded(f, found.features().get(path), precision, path));
      assertArrayEquals(found.logits().toFloats(), half.logits(images).toFloats());
    }
  }

  private static Stream<Arguments> withHalfPrecisions(String... models) {
    return Stream.of(models)
        .flatMap(
            model ->
                Stream.of(
                    Arguments.of(model, Precision.BFLOAT16),
                    Arguments.of(model, Precision.FLOAT16)));
  }

  /** Among them all the kinds of layers that the architectures have. */
  static Stream<Arguments> builtIn() {
    return withHalfPrecisions(
        "resnet14:width=8",
        "resnet18:width=8",
        "wrn-10-1",
        "dm-wrn-10-1",
        "densenet-cifar:growth=4",
        "mobilenetv2:width=0.25",
        "mobilenetv2-chenyaofo:width=0.5",
        "vgg11-bn:width=0.25",
        "shufflenetv2-kuangliu:width=0.5",
        "repvgg-a0:width=0.25",
        "vit-b16:patch=8,depth=3,width=64");
  }

  @ParameterizedTest
  @MethodSource("builtIn")
  void builtInNetworksAnswerAsInFloat32UpToRounding(String model, Precision precision) {
    boolean normalised = model.startsWith("dm-");
    assertRounded(model, 3, 32, normalised ? Normalisation.NONE : COLOUR, precision);
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "FLOAT32")
  void smallCnnAnswersAsInFloat32UpToRounding(Precision precision) {
    assertRounded("smallcnn", 1, 28, Normalisation.NONE, precision);
  }

  static Stream<Arguments> scripts() {
    return withHalfPrecisions(
        "models/fmnist-resnet.pt", "models/fmnist-vgg.pt", "models/fmnist-densenet.pt");
  }

  @ParameterizedTest
  @MethodSource("scripts")
  void torchScriptAnswersAsInFloat32UpToRounding(String model, Precision precision) {
    assertRounded(model, 1, 28, Normalisation.NONE, precision);
    assertRounded(model, 1, 28, new Normalisation(List.of(0.1), List.of(0.9)), precision);
  }

  static Stream<Arguments> goldenScripts() {
    return withHalfPrecisions("nested.pt", "traced.pt");
  }

  @ParameterizedTest
  @MethodSource("goldenScripts")
  void torchScriptIsTappedAnywhere(String file, Precision precision) {
    try (NoGrad _ = NoGrad.enter()) {
      Network network = build(GOLDEN + "/torchscript/" + file, 1, 12, Normalisation.NONE);
      List<String> features = List.of("conv1", "layer1.0.conv2", "layer2.0.shortcut.1", "pool");
      Map<String, Tensor> exact = network.forward(images(1, 12), features).features();
      Network half = Models.inPrecision(network, precision, 1, 12);
      Map<String, Tensor> found = half.forward(images(1, 12), features).features();
      assertEquals(features, List.copyOf(found.keySet()));
      features.forEach(f -> assertRounded(exact.get(f), found.get(f), precision, f));
    }
  }

  static Stream<Arguments> ofBothKinds() {
    return withHalfPrecisions("resnet8:width=8", "models/fmnist-vgg.pt");
  }

  private static long bytes(Network network) {
    return network.parameters().values().stream()
        .mapToLong(p -> p.numel() * p.dtype().bytes())
        .sum();
  }

  @ParameterizedTest
  @MethodSource("ofBothKinds")
  void theWeightsTakeHalfTheMemory(String model, Precision precision) {
    Network network = build(model, 1, 28, Normalisation.NONE);
    long before = bytes(network);
    assertEquals(before, 2 * bytes(Models.inPrecision(network, precision, 1, 28)));
  }

  /** As in PyTorch's half(): running statistics are rounded, the count of batches is not. */
  @ParameterizedTest
  @MethodSource("ofBothKinds")
  void everythingIsConvertedButWholeNumbers(String model, Precision precision) {
    Network half = Models.inPrecision(build(model, 1, 28, Normalisation.NONE), precision, 1, 28);
    half.stateDict()
        .forEach(
            (name, t) ->
                assertEquals(
                    name.endsWith("num_batches_tracked") ? DType.INT64 : precision.type,
                    t.dtype(),
                    name));
    assertTrue(half.buffers().keySet().stream().anyMatch(n -> n.endsWith("running_var")));
  }

  @ParameterizedTest
  @MethodSource("ofBothKinds")
  void askingChangesNothing(String model, Precision precision) {
    Network half = Models.inPrecision(build(model, 1, 28, Normalisation.NONE), precision, 1, 28);
    var before = half.stateDict().values().stream().map(Tensor::toDoubles).toList();
    float[] first = half.logits(images(1, 28)).toFloats();
    assertArrayEquals(first, half.logits(images(1, 28)).toFloats());
    var after = half.stateDict().values().stream().map(Tensor::toDoubles).toList();
    for (int i = 0; i < before.size(); i++) {
      assertArrayEquals(before.get(i), after.get(i));
    }
  }

  @Test
  void nothingStaysAliveAfterManyCalls() {
    Network half = Models.inPrecision(small(), Precision.BFLOAT16, 3, 16);
    Tensor images = images(3, 16);
    long before = Scope.alive();
    for (int i = 0; i < 20; i++) {
      try (Scope _ = Scope.open("call")) {
        half.forward(images, List.of("layer2"));
      }
    }
    assertEquals(before, Scope.alive());
  }

  @Test
  void inFloat32NothingIsChanged() {
    Network network = small();
    assertSame(network, Models.inPrecision(network, Precision.FLOAT32, 3, 16));
  }

  /** Constants in the file's code, where no conversion finds them. */
  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "FLOAT32")
  void aFileWithConstantsOfFloat32IsRefusedInOneLine(Precision precision) {
    Network frozen = build(GOLDEN + "/torchscript/frozen.pt", 1, 12, Normalisation.NONE);
    String message =
        assertThrows(UsageException.class, () -> Models.inPrecision(frozen, precision, 1, 12))
            .getMessage();
    String start = "model %s/torchscript/frozen.pt cannot be run in %s (libtorch: Input type";
    assertTrue(message.startsWith(start.formatted(GOLDEN, precision)), message);
    assertTrue(message.contains("set its precision to FLOAT32"), message);
    assertEquals(1, message.lines().count(), message);
  }

  @Test
  void itGivesNoGradients() {
    Network half = Models.inPrecision(small(), Precision.BFLOAT16, 3, 16);
    assertFalse(half.logits(images(3, 16)).requiresGrad());
    Tensor climbing = images(3, 16).requiresGrad_(true);
    assertThrows(IllegalStateException.class, () -> half.logits(climbing));
    try (NoGrad _ = NoGrad.enter()) {
      assertFalse(half.logits(climbing).requiresGrad());
    }
  }

  @Test
  void itDoesNotTrain() {
    Network half = Models.inPrecision(small(), Precision.FLOAT16, 3, 16);
    assertFalse(half.training());
    assertThrows(IllegalStateException.class, () -> half.train(true));
    half.train(false);
    assertFalse(half.training());
  }
}
