package bridge.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.attack.Smoothing;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.Evaluation.Result;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An evaluation that is stopped anywhere comes to what it would have come to. */
class ResumedEvaluationTest {
  private static final int IMAGES = 25;

  /** At this ε AutoAttack's first component leaves little to the others, so that it is quick. */
  private static final Ball BALL = new Ball(Norm.LINF, 0.3);

  private static final List<String> ATTACKS = List.of("pgd3-r2", "autoattack", "clean", "square20");

  private static ImageSet mini;

  @TempDir Path folder;
  private Scope scope;
  private int asked;
  private Network network;

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
    network =
        new NetworkDecorator(SmallNetwork.load()) {
          @Override
          public Outputs forward(Tensor images, List<String> features) {
            asked++;
            return super.forward(images, features);
          }
        };
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static JsonObject settings(long seed) {
    JsonObject settings = new JsonObject();
    settings.addProperty("model", "small");
    settings.addProperty("epsilon", BALL.epsilon());
    settings.addProperty("seed", seed);
    return settings;
  }

  private EvaluationState state() {
    return EvaluationState.open(folder.resolve("state"), settings(3));
  }

  /** Ten images at once. */
  private List<Result> run(
      Optional<EvaluationState> state,
      Optional<Map<String, Tensor>> images,
      List<String> attacks,
      BiConsumer<String, Integer> progress) {
    int[] first = IntStream.range(0, IMAGES).toArray();
    try (Batches batches = Batches.over(mini, first).batchSize(10).build()) {
      Evaluation evaluation = new Evaluation(network, BALL, new Seeds(3));
      state.ifPresent(evaluation::state);
      images.ifPresent(map -> evaluation.images(map::put));
      return evaluation.run(attacks, batches, progress);
    }
  }

  private List<Result> run(Optional<EvaluationState> state, Optional<Map<String, Tensor>> images) {
    return run(state, images, ATTACKS, (attack, done) -> {});
  }

  /** All but the time. */
  private static String text(List<Result> results) {
    StringBuilder text = new StringBuilder();
    for (Result r : results) {
      text.append(
          "%s %d %d %d %s %s %s\n"
              .formatted(
                  r.attack(),
                  r.cleanCorrect(),
                  r.correct(),
                  r.worstCorrect(),
                  r.meanPerturbation(),
                  r.maxPerturbation(),
                  r.predictions()));
      text.append(text(r.components()));
    }
    return text.toString();
  }

  private static void assertSame(Map<String, Tensor> expected, Map<String, Tensor> found) {
    assertEquals(List.copyOf(expected.keySet()), List.copyOf(found.keySet()));
    expected.forEach(
        (name, images) -> assertArrayEquals(images.toFloats(), found.get(name).toFloats(), name));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 5, 14, 20})
  void stoppedAnywhereItComesToTheSame(int after) {
    Map<String, Tensor> whole = new LinkedHashMap<>();
    String expected = text(run(Optional.empty(), Optional.of(whole)));
    int[] told = {0};
    try (EvaluationState state = state()) {
      assertThrows(
          IllegalStateException.class,
          () ->
              run(
                  Optional.of(state),
                  Optional.of(new LinkedHashMap<>()),
                  ATTACKS,
                  (attack, done) -> {
                    if (++told[0] == after) {
                      throw new IllegalStateException("stopped");
                    }
                  }));
    }
    Map<String, Tensor> resumed = new LinkedHashMap<>();
    try (EvaluationState state = state()) {
      assertEquals(expected, text(run(Optional.of(state), Optional.of(resumed))));
    }
    assertSame(whole, resumed);
  }

  @Test
  void whatIsKnownIsNotAskedAgain() {
    List<String> attacks = List.of("clean", "pgd3", "square20");
    String expected;
    try (EvaluationState state = state()) {
      expected = text(run(Optional.of(state), Optional.empty(), attacks, (attack, done) -> {}));
    }
    asked = 0;
    try (EvaluationState state = state()) {
      assertEquals(
          expected, text(run(Optional.of(state), Optional.empty(), attacks, (attack, done) -> {})));
      assertEquals(0, asked);
      List<String> more = List.of("clean", "pgd3", "fgsm");
      assertEquals(3, run(Optional.of(state), Optional.empty(), more, (attack, done) -> {}).size());
      assertEquals(3 * 2, asked, "a step and a look for each batch of the new attack");
    }
  }

  /** Results may have been kept without the images. */
  @Test
  void imagesThatWereNotKeptAreMadeAgain() {
    try (EvaluationState state = state()) {
      run(Optional.of(state), Optional.empty());
    }
    Map<String, Tensor> whole = new LinkedHashMap<>();
    Map<String, Tensor> resumed = new LinkedHashMap<>();
    String expected = text(run(Optional.empty(), Optional.of(whole)));
    try (EvaluationState state = state()) {
      assertEquals(expected, text(run(Optional.of(state), Optional.of(resumed))));
    }
    assertSame(whole, resumed);
  }

  @Test
  void imagesAreThoseThatCount() {
    Map<String, Tensor> images = new LinkedHashMap<>();
    List<Result> results = run(Optional.empty(), Optional.of(images));
    assertEquals(
        List.of("pgd3-r2", "autoattack", "clean", "square20"), List.copyOf(images.keySet()));
    for (Result result : results) {
      Tensor made = images.get(result.attack());
      List<Integer> said = new ArrayList<>();
      for (long one : network.logits(made).argmax(1).toLongs()) {
        said.add((int) one);
      }
      assertEquals(result.predictions(), said, result.attack());
      double change = made.sub(images.get("clean")).abs().max().item();
      assertTrue(change <= BALL.epsilon() + 1e-6, result.attack());
      assertEquals(result.attack().equals("clean"), change == 0);
    }
  }

  @Test
  void certificatesGoOnAsWell() {
    Smoothing smoothing = new Smoothing(0.1, 10, 50, 0.01, 20);
    int[] some = {0, 5, 10, 15, 20};
    try (Batches batches = Batches.over(mini, some).batchSize(2).build()) {
      var whole =
          Certification.run(
              network, smoothing, batches, new Seeds(1), Optional.empty(), (name, done) -> {});
      assertEquals(
          List.of(0, 5, 10, 15, 20),
          whole.images().stream().map(Certification.Certified::index).toList());
      try (EvaluationState state = state()) {
        assertThrows(
            IllegalStateException.class,
            () ->
                Certification.run(
                    network,
                    smoothing,
                    batches,
                    new Seeds(1),
                    Optional.of(state),
                    (name, done) -> {
                      if (done == 4) {
                        throw new IllegalStateException("stopped");
                      }
                    }));
        var resumed =
            Certification.run(
                network, smoothing, batches, new Seeds(1), Optional.of(state), (name, done) -> {});
        assertEquals(whole.images(), resumed.images());
      }
      assertEquals(whole.accuracy(0), (double) right(whole) / 5);
      assertEquals(0, whole.accuracy(1));
      assertTrue(whole.meanRadius() > 0 && whole.meanRadius() < 0.4);
    }
  }

  private static long right(Certification.Result result) {
    return result.images().stream().filter(c -> c.certificate().prediction() == c.label()).count();
  }

  // ---- the file -----------------------------------------------------------------------------

  private Path file() {
    return folder.resolve("state").resolve("evaluation.jsonl");
  }

  @Test
  void aTornLineIsDroppedAndMadeAgain() throws IOException {
    String expected;
    try (EvaluationState state = state()) {
      expected = text(run(Optional.of(state), Optional.empty()));
    }
    byte[] whole = Files.readAllBytes(file());
    Files.write(file(), Arrays.copyOf(whole, whole.length - 30));
    try (EvaluationState state = state()) {
      assertEquals(expected, text(run(Optional.of(state), Optional.empty())));
    }
    assertEquals(lines(whole).size(), Files.readAllLines(file()).size());
  }

  private static List<String> lines(byte[] text) {
    return new String(text, StandardCharsets.UTF_8).lines().toList();
  }

  private UsageException refused(long seed) {
    return assertThrows(
        UsageException.class,
        () -> EvaluationState.open(folder.resolve("state"), settings(seed)).close());
  }

  @Test
  void otherSettingsAreRefused() {
    state().close();
    String message = refused(4).getMessage();
    assertTrue(message.contains("seed was 3, now 4; use the same settings"), message);
    assertEquals(1, message.lines().count());
    state().close();
  }

  @Test
  void oneProcessAtATime() {
    try (EvaluationState _ = state()) {
      String message = refused(3).getMessage();
      assertTrue(message.contains("is in use by another process"), message);
    }
    state().close();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"x|1", "{}|1", "{\"settings\":{\"model\":\"small\"}}|0"})
  void aFileOfSomethingElseIsRefusedAndLeftAlone(String line, int number) throws IOException {
    Files.createDirectories(file().getParent());
    Files.writeString(file(), line + "\n");
    String message = refused(3).getMessage();
    String expected = number == 0 ? "epsilon was null, now 0.3" : "line 1 is not one of";
    assertTrue(message.contains(expected), message);
    assertEquals(line + "\n", Files.readString(file()));
  }

  @Test
  void aDamagedLineInTheMiddleIsRefused() throws IOException {
    state().close();
    Files.writeString(file(), "{\"attack\": \"pgd20\"}\n", StandardOpenOption.APPEND);
    assertTrue(refused(3).getMessage().contains("line 2 is not one of an evaluation"));
  }

  @Test
  void aFileIsNoFolder() throws IOException {
    Files.writeString(folder.resolve("state"), "");
    String message = refused(3).getMessage();
    assertTrue(message.contains("cannot be used"), message);
  }
}
