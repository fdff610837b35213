package bridge.attack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.ScopedTest;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.DryRun;
import bridge.torch.Generator;
import bridge.torch.NativeException;
import bridge.torch.Tensor;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every attack where there is nothing to read: on the meta device, on which a read throws, as does
 * a tensor that was left on the processor. What an attack does there waits for a CUDA device
 * nowhere. Those that as a whole need the processor are listed with the reason; their steps do not.
 */
final class DryRunTest extends ScopedTest {
  private static final String DROPS = "leaves images alone that it has broken";
  private static final String PARTS = "goes from one part to the next with the images left";

  private static final Map<String, String> NEED_THE_HOST =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("apgd-ce", DROPS),
              Map.entry("apgd-dlr", DROPS),
              Map.entry("apgd-t", DROPS),
              Map.entry("fab", DROPS),
              Map.entry("fab-t", DROPS),
              Map.entry("square", DROPS),
              Map.entry("square100-rescaled", DROPS),
              Map.entry("cw-saad", "begins again with the images that are still right"),
              Map.entry("cw-l2", "ends a search in which no image gets better"),
              Map.entry("autoattack", PARTS),
              Map.entry("autoattack-plus", PARTS),
              Map.entry("autoattack-rand", PARTS)));

  private static final int IMAGES = 3;
  private static final int SIDE = 6;
  private static final int CLASSES = 5;

  private LinearNetwork network;
  private Tensor images;
  private Tensor labels;
  private Generator noise;

  /** An attack by name in one of its norms. */
  private record Case(Attacks.Entry entry, Norm norm) {
    /** With few steps where its name has a number. */
    Attack attack() {
      String name = entry.form().map(form -> form.replace("N", "4")).orElse(entry.name());
      return Attacks.find(name, new Ball(norm, 0.1)).orElseThrow();
    }

    boolean listed() {
      return NEED_THE_HOST.containsKey(entry.name());
    }

    @Override
    public String toString() {
      return entry.name() + " " + norm;
    }
  }

  @BeforeEach
  void prepare() {
    network =
        new LinearNetwork(
            floats(CLASSES, SIDE * SIDE).requiresGrad_(true), floats(CLASSES).requiresGrad_(true));
    images = floats(IMAGES, 1, SIDE, SIDE);
    labels = Tensor.zeros(DType.INT64, Device.META, IMAGES);
    noise = Generator.on(Device.META, 1);
  }

  private static Tensor floats(long... shape) {
    return Tensor.zeros(DType.FLOAT32, Device.META, shape);
  }

  private static Stream<Case> all() {
    return Attacks.all().stream()
        .flatMap(entry -> entry.norms().stream().map(norm -> new Case(entry, norm)));
  }

  private static Stream<Case> free() {
    return all().filter(one -> !one.listed());
  }

  private static Stream<Case> listed() {
    return all().filter(Case::listed);
  }

  private void check(Tensor made) {
    assertEquals(Device.META, made.device());
    assertArrayEquals(images.sizes(), made.sizes());
  }

  @ParameterizedTest
  @MethodSource("free")
  void anAttackReadsNothingAndMakesNothingOnTheHost(Case one) {
    try (DryRun _ = DryRun.begin()) {
      check(one.attack().perturb(network, images, labels, noise).images());
    }
  }

  @ParameterizedTest
  @MethodSource("listed")
  void whatIsListedStillNeedsTheHost(Case one) {
    Attack attack = one.attack();
    String reason = NEED_THE_HOST.get(one.entry.name());
    try (DryRun _ = DryRun.begin()) {
      assertThrows(
          NativeException.class, () -> attack.perturb(network, images, labels, noise), reason);
    }
  }

  @ParameterizedTest
  @MethodSource("climbs")
  void apgdClimbsWithoutTheHost(Norm norm, Apgd.Loss loss, boolean widened) {
    Apgd apgd = new Apgd("apgd", new Ball(norm, 0.1), loss, 12, 1, 2, 1, widened);
    Tensor targets = loss == Apgd.Loss.TARGETED_DLR ? labels : null;
    try (DryRun _ = DryRun.begin()) {
      check(apgd.climb(network, images, labels, targets, images.copy()).best());
    }
  }

  private static Stream<Arguments> climbs() {
    return Stream.of(Norm.values())
        .flatMap(
            norm ->
                Stream.of(Apgd.Loss.values())
                    .map(loss -> Arguments.of(norm, loss, norm == Norm.L1)));
  }

  @ParameterizedTest
  @EnumSource(Norm.class)
  void fabSearchesWithoutTheHost(Norm norm) {
    Ball ball = new Ball(norm, 0.1);
    try (DryRun _ = DryRun.begin()) {
      Fab nearest = new Fab("fab", ball, false, 3, 1);
      check(nearest.search(network, images, labels, null, images).images());
      Fab targeted = new Fab("fab-t", ball, true, 3, 1);
      check(targeted.search(network, images, labels, labels, images).images());
    }
  }

  @ParameterizedTest
  @EnumSource(Norm.class)
  void squareAsksWithoutTheHost(Norm norm) {
    Square square = new Square("square", new Ball(norm, 0.1), 40, 1, true);
    float[] draws = new float[40 * 5];
    SquareSearch search = new SquareSearch(square, network, images, labels, noise, draws, false);
    try (DryRun _ = DryRun.begin()) {
      search.begin();
      for (int i = 0; i < 40; i++) {
        search.query(i);
      }
    }
    check(search.best);
  }

  @ParameterizedTest
  @EnumSource(
      value = Norm.class,
      names = {"L2"})
  void oneIterationOfCarliniAndWagnerNeedsNoHost(Norm norm) {
    Attack once = new CarliniWagner(new Ball(norm, 0.1), 2, 1, 0.01, 0, 1e-3);
    try (DryRun _ = DryRun.begin()) {
      check(once.perturb(network, images, labels, noise).images());
    }
  }
}
