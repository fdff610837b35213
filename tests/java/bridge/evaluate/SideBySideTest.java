package bridge.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.attack.Apgd;
import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.attack.Perturbed;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.Evaluation.Result;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Natives;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Batches that are attacked at the same time: the same bits as one after the other. */
class SideBySideTest {
  private static final int IMAGES = 45;

  /** At this ε AutoAttack's first component leaves little to the others, so that it is quick. */
  private static final Ball BALL = new Ball(Norm.LINF, 0.3);

  private static final List<String> ATTACKS =
      List.of("clean", "pgd3", "apgd-ce", "square20", "autoattack");

  private static ImageSet mini;

  @TempDir private Path folder;
  private Scope scope;
  private Network network;
  private int threads;

  @BeforeAll
  static void read() {
    mini = DataSpec.parse("fashion-mnist-mini").load(Split.TEST);
  }

  @AfterAll
  static void free() {
    mini.close();
  }

  @BeforeEach
  void open() {
    scope = Scope.open("test");
    network = SmallNetwork.load();
    threads = Natives.threads();
    Natives.setThreads(1); // more of them in one operation change the last bits
  }

  @AfterEach
  void close() {
    Natives.setThreads(threads);
    scope.close();
  }

  private static Batches batches() {
    return Batches.over(mini, IntStream.range(0, IMAGES).toArray()).batchSize(10).build();
  }

  private List<Result> run(
      int workers,
      Optional<EvaluationState> state,
      Map<String, Tensor> images,
      BiConsumer<String, Integer> progress) {
    try (Batches batches = batches()) {
      Evaluation evaluation =
          new Evaluation(network, BALL, new Seeds(3)).workers(workers).images(images::put);
      state.ifPresent(evaluation::state);
      return evaluation.run(ATTACKS, batches, progress);
    }
  }

  private static List<Result> timeless(List<Result> results) {
    List<Result> same = new ArrayList<>();
    for (Result r : results) {
      same.add(
          new Result(
              r.attack(),
              r.images(),
              r.cleanCorrect(),
              r.correct(),
              r.worstCorrect(),
              r.meanPerturbation(),
              r.maxPerturbation(),
              0,
              r.labels(),
              r.predictions(),
              timeless(r.components()),
              r.settings()));
    }
    return same;
  }

  private static void assertSame(Map<String, Tensor> expected, Map<String, Tensor> found) {
    assertEquals(List.copyOf(expected.keySet()), List.copyOf(found.keySet()));
    expected.forEach(
        (name, images) -> assertArrayEquals(images.toFloats(), found.get(name).toFloats(), name));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8})
  void areTheSameBits(int workers) {
    Map<String, Tensor> oneByOne = new LinkedHashMap<>();
    List<String> told = new ArrayList<>();
    List<Result> expected =
        timeless(
            run(1, Optional.empty(), oneByOne, (attack, done) -> told.add(attack + " " + done)));

    Map<String, Tensor> sideBySide = new LinkedHashMap<>();
    List<String> toldThen = new ArrayList<>();
    List<Result> found =
        timeless(
            run(
                workers,
                Optional.empty(),
                sideBySide,
                (attack, done) -> toldThen.add(attack + " " + done)));

    assertEquals(expected, found);
    assertSame(oneByOne, sideBySide);
    assertEquals(told, toldThen);
    assertEquals(1, Natives.threads());
  }

  @Test
  void goOnFromWhereOneByOneWasStopped() {
    Map<String, Tensor> whole = new LinkedHashMap<>();
    List<Result> expected = timeless(run(1, Optional.empty(), whole, (attack, done) -> {}));
    JsonObject settings = new JsonObject();
    settings.addProperty("seed", 3);
    int[] told = {0};
    try (EvaluationState state = EvaluationState.open(folder, settings)) {
      assertThrows(
          IllegalStateException.class,
          () ->
              run(
                  1,
                  Optional.of(state),
                  new LinkedHashMap<>(),
                  (attack, done) -> {
                    if (++told[0] == 8) {
                      throw new IllegalStateException("stopped");
                    }
                  }));
    }
    Map<String, Tensor> resumed = new LinkedHashMap<>();
    try (EvaluationState state = EvaluationState.open(folder, settings)) {
      assertEquals(expected, timeless(run(2, Optional.of(state), resumed, (attack, done) -> {})));
    }
    assertSame(whole, resumed);
  }

  /** Every batch waits for another one, which one thread alone could never come to. */
  private record Meeting(CyclicBarrier barrier, Set<Thread> seen) implements Attack {
    @Override
    public String name() {
      return "meeting";
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      seen.add(Thread.currentThread());
      try {
        barrier.await(1, TimeUnit.MINUTES);
      } catch (Exception e) {
        throw new IllegalStateException("nobody else came", e);
      }
      return new Perturbed(images.copy());
    }
  }

  @Test
  void areReallyWorkedOnAtTheSameTime() {
    Set<Thread> seen = ConcurrentHashMap.newKeySet();
    int[] first = IntStream.range(0, 40).toArray();
    try (Batches batches = Batches.over(mini, first).batchSize(10).build()) {
      new Evaluation(network, BALL, new Seeds(3))
          .workers(2)
          .against(List.of(new Meeting(new CyclicBarrier(2), seen)), batches);
    }
    assertEquals(2, seen.size());
    assertTrue(seen.stream().noneMatch(thread -> thread == Thread.currentThread()));
  }

  /** Fails on the second batch it sees, while others are being worked on. */
  private record Failing(Apgd apgd, Set<Integer> batches) implements Attack {
    @Override
    public String name() {
      return "failing";
    }

    @Override
    public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
      int number;
      synchronized (batches) {
        number = batches.size();
        batches.add(number);
      }
      if (number == 1) {
        throw new IllegalStateException("number 1");
      }
      return apgd.perturb(network, images, labels, noise);
    }
  }

  @Test
  void failAsOneAloneWouldAndLeaveNothingBehind() {
    for (int i = 0; i < 3; i++) {
      long before = i == 0 ? -1 : Scope.alive();
      try (Batches batches = batches()) {
        Evaluation evaluation = new Evaluation(network, BALL, new Seeds(3)).workers(3);
        List<Attack> attacks =
            List.of(new Failing(Apgd.crossEntropy(BALL), ConcurrentHashMap.newKeySet()));
        Exception thrown =
            assertThrows(IllegalStateException.class, () -> evaluation.against(attacks, batches));
        assertEquals("number 1", thrown.getMessage());
      }
      assertTrue(i == 0 || Scope.alive() == before, "alive");
      assertEquals(1, Natives.threads());
    }
  }
}
