package bridge.gradient;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import bridge.architecture.Architectures;
import bridge.loss.Objectives;
import bridge.model.Mode;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Natives;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Folded programs against the networks they were made of. */
final class FoldedNetworkTest extends ScopedTest {
  private static final Normalisation NORMALISED =
      new Normalisation(List.of(0.5, 0.4, 0.6), List.of(0.2, 0.25, 0.3));
  private static final String SMALL = "resnet8:width=8,stride=2";

  private final List<String> log = new ArrayList<>();

  /** One of each family and each form of block, as narrow as it gets. */
  static Stream<String> families() {
    return Stream.of(
        "resnet18:width=8",
        "resnet50:width=4",
        "resnet20",
        SMALL,
        "preactresnet18:width=8",
        "dm-preactresnet18",
        "wrn-10-2",
        "dm-wrn-10-2",
        "densenet121:growth=4",
        "densenet-cifar",
        "smallcnn",
        "mobilenetv2:width=0.25",
        "mobilenetv2-chenyaofo:width=0.25",
        "vgg11-bn",
        "vgg16-kuangliu",
        "shufflenetv2-chenyaofo:width=0.5",
        "shufflenetv2-kuangliu:width=0.5",
        "repvgg-a0");
  }

  static Stream<String> all() {
    return Architectures.names().stream().filter(name -> !name.equals("vit-b16"));
  }

  private static Network build(String spec) {
    Network network =
        Models.build(ModelSpec.parse(spec), 3, 10, 32, NORMALISED, new Seeds(3), Device.CPU);
    // statistics and weights of normalisations as after some training
    Generator random = Generator.on(Device.CPU, 5);
    try (NoGrad _ = NoGrad.enter()) {
      network
          .stateDict()
          .forEach(
              (name, t) -> {
                if (name.endsWith("running_var") || t.dim() == 1 && name.endsWith("weight")) {
                  t.uniform_(0.5, 1.5, random);
                } else if (t.dim() == 1 && t.dtype() == DType.FLOAT32) {
                  t.normal_(0, 0.1, random);
                }
              });
    }
    return network;
  }

  private FoldedNetwork fold(Network network, int shard) {
    return FoldedNetwork.of(network, new long[] {3, 32, 32}, shard, log::add);
  }

  private static Tensor images(int count) {
    return Tensor.uniform(0, 1, Generator.on(Device.CPU, count), Device.CPU, count, 3, 32, 32);
  }

  private static Tensor labels(int count) {
    long[] labels = new long[count];
    Arrays.setAll(labels, i -> i % 10);
    return Tensor.of(labels, count);
  }

  private static void toDouble(Network network) {
    Stream.concat(network.stateDict().values().stream(), network.constants().stream())
        .filter(t -> t.dtype() == DType.FLOAT32)
        .forEach(t -> t.setData(t.detach().to(DType.FLOAT64)));
  }

  /** In float64 no activation is near enough to its kink for rounding to matter. */
  private void isExactInDouble(String spec) {
    Network network = build(spec);
    toDouble(network);
    Tensor x = images(2).to(DType.FLOAT64).requiresGrad_(true);
    try (Mode _ = Mode.eval(network)) {
      var program = network.compiler(Scope.innermost(), x.detach()).program();
      Tensor logits = network.logits(x);
      Tensor up = Tensor.randn(Generator.on(Device.CPU, 1), Device.CPU, 2, 10).to(DType.FLOAT64);
      Tensor plain = logits.mul(up).sum().gradient(x);
      var pass = program.forward(x.detach());
      Tensor folded = program.backward(pass, up);
      assertClose(1e-12, logits.detach(), pass.logits());
      assertClose(1e-10, plain, folded);
      // and signs, which PGD steps along
      try (NoGrad _ = NoGrad.enter()) {
        assertEquals(0, plain.sign().sub(folded.sign()).abs().sum().item(), spec);
      }
    }
  }

  private static void assertClose(double tolerance, Tensor expected, Tensor found) {
    try (NoGrad _ = NoGrad.enter()) {
      double difference = expected.sub(found).flatten(0).norm2Keep(0).item();
      double length = expected.flatten(0).norm2Keep(0).item();
      assertTrue(difference <= tolerance * length, difference + " of " + length);
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void gradientsAreThoseOfThePlainNetwork(String spec) {
    isExactInDouble(spec);
  }

  @Tag("slow")
  @ParameterizedTest
  @MethodSource("all")
  void gradientsAreThoseOfThePlainNetworkAtFullSize(String spec) {
    isExactInDouble(spec);
  }

  @ParameterizedTest
  @MethodSource("families")
  void everyFamilyIsFoldedInFloat32(String spec) {
    FoldedNetwork folded = fold(build(spec), 0);
    assertEquals(List.of(), log);
    folded.train(false);
    assertTrue(folded.isCompiled());
    folded.train(true);
    assertFalse(folded.isCompiled());
  }

  @Test
  void whatCannotBeFollowedRunsAsItIsAndSaysSo() {
    Network network = build("vit-b16:depth=1");
    FoldedNetwork folded = fold(network, 4);
    folded.train(false);
    assertFalse(folded.isCompiled());
    assertEquals(1, log.size());
    assertTrue(log.get(0).startsWith("vit-b16:depth=1 runs as it is"), log.get(0));
    Tensor x = images(6);
    Tensor plain = Objectives.crossEntropy(network).with(labels(6)).slope(x).gradient();
    Tensor same = Objectives.crossEntropy(folded).with(labels(6)).slope(x).gradient();
    assertArrayEquals(plain.toFloats(), same.toFloats());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"models/fmnist-resnet.pt", "models/fmnist-vgg.pt", "models/fmnist-densenet.pt"})
  void torchScriptIsFolded(String file) {
    Network network =
        Models.build(
            ModelSpec.parse(file), 1, 10, 28, Normalisation.NONE, new Seeds(1), Device.CPU);
    FoldedNetwork folded = FoldedNetwork.of(network, new long[] {1, 28, 28}, 3, log::add);
    assertEquals(List.of(), log);
    folded.freeze();
    Tensor x = Tensor.uniform(0, 1, Generator.on(Device.CPU, 1), Device.CPU, 7, 1, 28, 28);
    try (NoGrad _ = NoGrad.enter()) {
      for (String path : network.modules()) {
        var expected = network.forward(x, List.of(path));
        var found = folded.forward(x, List.of(path));
        assertClose(1e-5, expected.logits(), found.logits());
        assertClose(1e-5, expected.features().get(path), found.features().get(path));
      }
    }
  }

  @Test
  void featuresOfEveryModuleAreThoseOfThePlainNetwork() {
    Network network = build(SMALL);
    FoldedNetwork folded = fold(network, 4);
    folded.train(false);
    Tensor x = images(6);
    try (NoGrad _ = NoGrad.enter()) {
      for (String path : network.modules()) {
        var expected = network.forward(x, List.of(path));
        var found = folded.forward(x, List.of(path));
        assertClose(1e-5, expected.logits(), found.logits());
        assertClose(1e-5, expected.features().get(path), found.features().get(path));
      }
    }
  }

  @Test
  void weightsThatChangeAreTakenOver() {
    Network network = build(SMALL);
    FoldedNetwork folded = fold(network, 0);
    folded.train(false);
    Tensor x = images(4);
    Tensor before;
    Tensor after;
    try (NoGrad _ = NoGrad.enter()) {
      before = folded.logits(x);
      network.parameters().values().forEach(p -> p.mul_(1.1));
      network.buffers().get("bn1.running_mean").add_(0.2);
      after = folded.logits(x);
      assertNotEquals(before.toFloats()[0], after.toFloats()[0]);
      assertClose(1e-5, network.logits(x), after);
    }
    Tensor plain = Objectives.crossEntropy(network).with(labels(4)).slope(x).gradient();
    assertClose(1e-5, plain, Objectives.crossEntropy(folded).with(labels(4)).slope(x).gradient());
  }

  @Test
  void theBitsAreTheSameOnAnyNumberOfThreads() {
    FoldedNetwork folded = fold(build(SMALL), 4);
    folded.train(false);
    Tensor x = images(11);
    int before = Natives.threads();
    List<float[]> climbed = new ArrayList<>();
    List<float[]> logits = new ArrayList<>();
    try {
      for (int threads : new int[] {1, 2, 3, 1}) {
        Natives.setThreads(threads);
        climbed.add(
            Objectives.crossEntropy(folded)
                .with(labels(11))
                .climb(List.of(x), x, (part, _, begin) -> part.slope(begin).gradient())
                .toFloats());
        try (NoGrad _ = NoGrad.enter()) {
          logits.add(folded.logits(x).toFloats());
        }
      }
    } finally {
      Natives.setThreads(before);
    }
    climbed.forEach(other -> assertArrayEquals(climbed.get(0), other));
    logits.forEach(other -> assertArrayEquals(logits.get(0), other));
  }

  @Test
  void partsGiveTheWholeBatchsGradientUpToTheirShare() {
    Network network = build(SMALL);
    FoldedNetwork folded = fold(network, 4);
    folded.train(false);
    Tensor x = images(8);
    Tensor whole = Objectives.crossEntropy(network).with(labels(8)).slope(x).gradient();
    Tensor parts =
        Objectives.crossEntropy(folded)
            .with(labels(8))
            .climb(List.of(x), x, (part, _, begin) -> part.slope(begin).gradient());
    assertClose(1e-5, whole.mul(2), parts);
  }

  @Test
  void aFailureInAPartIsTheCallersAndNothingLeaks() {
    FoldedNetwork folded = fold(build(SMALL), 2);
    folded.train(false);
    Tensor x = images(8);
    var objective = Objectives.crossEntropy(folded).with(labels(8));
    long alive = Scope.alive();
    assertThrows(
        IllegalStateException.class,
        () -> {
          try (Scope _ = Scope.open("climb")) {
            objective.climb(
                List.of(x),
                x,
                (part, _, begin) -> {
                  if (begin.size(0) == 2) {
                    part.slope(begin);
                    throw new IllegalStateException("on purpose");
                  }
                  return begin;
                });
          }
        });
    assertEquals(alive, Scope.alive());
  }

  @Test
  void trainingModeIsThePlainNetworkBitForBit() {
    Network network = build(SMALL);
    FoldedNetwork folded = fold(network, 4);
    Tensor x = images(6);
    float[] expected = network.logits(x).toFloats();
    assertArrayEquals(expected, folded.logits(x).toFloats());
    assertTrue(folded.logits(x).requiresGrad());
    Tensor value = Objectives.crossEntropy(folded).with(labels(6)).at(x);
    value.backward();
    assertTrue(network.parameters().values().stream().allMatch(p -> p.grad() != null));
  }

  @Test
  void twoNetworksOfOneObjectiveBothGiveGradients() {
    Network student = build(SMALL);
    Network teacher = build("wrn-10-1");
    teacher.freeze();
    Tensor x = images(4);
    try (Mode _ = Mode.eval(student)) {
      Tensor plain = Objectives.disagreement(teacher, student).with().slope(x).gradient();
      Tensor folded =
          Objectives.disagreement(fold(teacher, 2), fold(student, 2)).with().slope(x).gradient();
      assertClose(1e-4, plain, folded);
    }
  }
}
