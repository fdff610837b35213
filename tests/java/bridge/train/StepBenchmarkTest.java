package bridge.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import bridge.UsageException;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.RandomImages;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** What a benchmark counts, and that it looks on without changing anything. */
class StepBenchmarkTest extends ScopedTest {
  private static final long[] SHAPE = {1, 28, 28};

  private static final String[] TWO_TEACHERS = {
    "method.name=sa-mdrad",
    "method.featStartEpoch=1",
    "teachers=[{\"model\": \"models/fmnist-vgg.pt\"}, {\"model\": \"resnet8:width=4\"}]",
    "select.validation=0",
    "data=fashion-mnist:nowhere"
  };

  private static final String PGD_AT = "method.name=pgd-at";

  private static Recipe recipe(String... sets) {
    return Recipe.from(TinyRuns.recipe(java.nio.file.Path.of("nowhere"), sets));
  }

  private static Network network(String model) {
    return Models.build(
        ModelSpec.parse(model), 1, 10, 28, Normalisation.NONE, new Seeds(1), Device.CPU);
  }

  private static Tensor images(int count) {
    return Tensor.zeros(DType.FLOAT32, Device.CPU, count, 1, 28, 28);
  }

  /** SmallCNN: convolutions to 26², 24², 10² and 8² positions, then three linear layers. */
  @Test
  void operationsAreThoseOfTheLayersByHand() {
    double first = 2 * 26 * 26 * 32 * 9;
    double forward =
        first
            + 2.0 * 24 * 24 * 32 * 32 * 9
            + 2.0 * 10 * 10 * 64 * 32 * 9
            + 2.0 * 8 * 8 * 64 * 64 * 9
            + 2.0 * (1024 * 200 + 200 * 200 + 200 * 10);
    CountedNetwork network = new CountedNetwork(network("smallcnn"), SHAPE);
    assertTrue(network.counts());
    assertEquals(0, network.operations(), "the network was only shown an image");
    assertTrue(network.training(), "its mode is as it was");

    network.logits(images(2).requiresGrad_(true));
    double attack = 2 * 2 * forward;
    assertEquals(attack, network.operations(), "forward, and the gradient of the images");
    network.logits(images(3));
    double training = 3 * (3 * forward - first);
    assertEquals(attack + training, network.operations(), "but for the first layer's input");
    try (NoGrad _ = NoGrad.enter()) {
      network.logits(images(1));
    }
    assertEquals(attack + training + forward, network.operations());
  }

  /** TorchScript tells its layers, too: the VGG of models/train_teachers.py. */
  @Test
  void torchScriptIsCounted() {
    double convolutions =
        28 * 28 * 16 + 14 * 14 * 32 * 16 + 7 * 7 * 64 * (32 + 64) + 3 * 3 * 96 * 64;
    CountedNetwork network = new CountedNetwork(network("models/fmnist-vgg.pt"), SHAPE);
    network.freeze();
    network.logits(images(2));
    assertTrue(network.counts());
    assertEquals(2 * 2 * (9 * convolutions + 96 * 10), network.operations());
  }

  /** The weights after three steps that are timed, counted, or neither. */
  @Test
  void lookingOnChangesNoBit() {
    Recipe recipe = recipe(TWO_TEACHERS);
    StageClock clock = new StageClock(() -> {}, System::nanoTime);
    Map<String, float[]> plain =
        trained(recipe, Stages.NONE, UnaryOperator.identity(), UnaryOperator.identity());
    Map<String, float[]> timed =
        trained(recipe, clock, UnaryOperator.identity(), n -> new TimedNetwork(n, clock));
    UnaryOperator<Network> counted = n -> new CountedNetwork(n, SHAPE);
    for (Map<String, float[]> other :
        List.of(timed, trained(recipe, Stages.NONE, counted, counted))) {
      assertEquals(plain.keySet(), other.keySet());
      plain.forEach((name, values) -> assertArrayEquals(values, other.get(name), name));
    }
    for (Stage stage : Stage.values()) {
      assertTrue(clock.seconds(stage) > 0, stage::toString);
    }
  }

  private static Map<String, float[]> trained(
      Recipe recipe,
      Stages stages,
      UnaryOperator<Network> student,
      UnaryOperator<Network> teacher) {
    Fittings fittings = new Fittings(new BenchmarkImages(recipe), student, teacher);
    try (Scope run = Scope.open("run");
        Session session = new Session(recipe, null, fittings, Device.CPU, run);
        Batches.Epoch epoch = session.batches.epoch(1, 0)) {
      session.student.train(true);
      RunStep step = new RunStep(session, stages);
      for (int i = 0; i < 3; i++) {
        try (Scope _ = Scope.open("step");
            Stages.Visit _ = stages.enter(Stage.DATA)) {
          step.take(epoch.next());
        }
      }
      Map<String, float[]> weights = new LinkedHashMap<>();
      session
          .student
          .stateDict()
          .forEach((name, t) -> weights.put(name, t.to(DType.FLOAT32).toFloats()));
      return weights;
    }
  }

  @Test
  void aStepIsMeasuredInEveryStage() {
    StepBenchmark.Result result =
        StepBenchmark.measure(recipe(TWO_TEACHERS), Device.CPU, OptionalInt.of(25));
    assertTrue(result.randomImages());
    assertEquals(25, result.seconds().size());
    assertArrayEquals(SHAPE, result.shape());
    for (Stage stage : Stage.values()) {
      assertTrue(result.split().seconds().get(stage) > 0, stage::toString);
    }
    double mean = result.seconds().stream().mapToDouble(s -> s).average().orElseThrow();
    assertEquals(mean, result.split().step(), 1e-12);
    assertTrue(result.split().rest() >= 0, () -> "rest " + result.split().rest());
    assertTrue(result.split().rest() < mean / 2, () -> "stages miss " + result.split().rest());
    assertTrue(result.operationsPerSecond() < 2 * result.peak().highest());
    assertEquals(List.of(), result.work().notCounted());
    assertEquals(null, result.host());
  }

  /** The teacher's gradient is what the attack climbs: it must be the very network of a run. */
  @Test
  void teachersWithGradientsAreLeftAlone() {
    Recipe recipe =
        recipe("method.name=ada-ad", "teachers=[{\"model\": \"resnet8:width=4\"}]", "batch=4");
    StepBenchmark.Result result = StepBenchmark.measure(recipe, Device.CPU, OptionalInt.of(1));
    assertEquals(0, result.split().seconds().get(Stage.TEACHERS));
    assertTrue(result.work().perImage() > 0);
  }

  @Test
  void spreadsAreQuartiles() {
    assertEquals(new Spread(2, 3, 4), Spread.of(List.of(5.0, 1.0, 4.0, 2.0, 3.0)));
    assertEquals(new Spread(1.25, 1.5, 1.75), Spread.of(List.of(2.0, 1.0)));
    assertEquals(new Spread(7, 7, 7), Spread.of(List.of(7.0)));
  }

  @Test
  void attacksAreMeasuredOnImagesThatTheStudentHasRight() {
    AttackBenchmark.Result result =
        AttackBenchmark.measure(recipe(PGD_AT), "pgd3", Device.CPU, OptionalInt.of(2));
    assertEquals(2, result.seconds().size());
    assertEquals(8, result.images());
    assertTrue(result.broken() >= 0 && result.broken() <= 8);
    assertThrows(
        UsageException.class,
        () -> AttackBenchmark.measure(recipe(PGD_AT), "pgd", Device.CPU, OptionalInt.of(1)));
  }

  @Test
  void randomImagesHaveTheDataSetsShape() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put("cifar10:x", new long[] {3, 32, 32, 10});
    shapes.put("cifar100:x", new long[] {3, 32, 32, 100});
    shapes.put("tiny-imagenet:x", new long[] {3, 64, 64, 200});
    shapes.put("mnist", new long[] {1, 28, 28, 10});
    for (DataSpec.Kind kind : DataSpec.Kind.values()) {
      assertEquals(kind == DataSpec.Kind.IMAGE_FOLDER, refused(kind + ":x"), kind.toString());
    }
    shapes.forEach(
        (data, shape) -> {
          try (ImageSet set = RandomImages.like(data, 300, 1)) {
            assertArrayEquals(
                shape, new long[] {set.channels(), set.height(), set.width(), set.classes()}, data);
            assertEquals(300, set.size());
            assertTrue(varied(set), data);
          }
        });
  }

  private static boolean refused(String data) {
    try (ImageSet set = RandomImages.like(data, 1, 1)) {
      return set == null;
    } catch (UsageException e) {
      return true;
    }
  }

  private static boolean varied(ImageSet set) {
    List<Integer> pixels = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      pixels.add(set.pixels().getUByte(i));
    }
    int[] labels = new int[set.size()];
    Arrays.setAll(labels, set::label);
    assertFalse(Arrays.stream(labels).anyMatch(label -> label < 0 || label >= set.classes()));
    return pixels.stream().distinct().count() > 50
        && Arrays.stream(labels).distinct().count() > set.classes() / 2;
  }
}
