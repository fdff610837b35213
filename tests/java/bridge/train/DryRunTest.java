package bridge.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.ScopedTest;
import bridge.method.Method;
import bridge.method.Methods;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Teacher;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.DryRun;
import bridge.torch.Generator;
import bridge.torch.NativeException;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every method's training step where there is nothing to read: on the meta device, on which a read
 * throws, as does a tensor that was left on the processor. Such a step waits for a CUDA device
 * nowhere.
 */
final class DryRunTest extends ScopedTest {
  private static final int BATCH = 6;
  private static final int CLASSES = 10;
  private static final long[] IMAGE = {1, 28, 28};

  /** What needs the processor in a step, and why; see {@link #whatIsListedStillNeedsTheHost}. */
  private static final Map<String, String> NEED_THE_HOST =
      Map.of("crd", "draws the numbers of its negatives on the processor, step by step");

  private static final Device META = Device.META;

  private Scope lasting;

  @BeforeEach
  void openRun() {
    lasting = Scope.open("run");
  }

  @AfterEach
  void closeRun() {
    lasting.close();
  }

  static Stream<String> methods() {
    return Methods.names().stream().filter(name -> !NEED_THE_HOST.containsKey(name));
  }

  static Stream<String> listed() {
    return NEED_THE_HOST.keySet().stream();
  }

  /** A run on the meta device. */
  private static final class Run {
    private final Recipe recipe;
    private final Network student;
    private final Method method;
    private final Optimizer optimizer;
    private final Average average;
    private final LossSums sums;
    private final Generator noise = Generator.on(META, 1);

    Run(JsonObject json, Scope scope) {
      sums = new LossSums(scope);
      recipe = Recipe.from(json);
      student = network(1);
      List<Teacher> teachers = new ArrayList<>();
      for (Recipe.Model model : recipe.teachers) {
        Network network = network(2 + teachers.size());
        if (model.role() != Teacher.Role.PEER) {
          network.freeze();
        }
        teachers.add(new Teacher("t" + teachers.size(), model.role(), network, "layer3"));
      }
      Seeds seeds = new Seeds(1);
      method =
          recipe.method.over(
              new MethodContext(
                  student, teachers, CLASSES, IMAGE, new int[] {0, 1, 2, 3, 4, 5}, seeds, META));
      Map<String, Tensor> trained = new LinkedHashMap<>(student.parameters());
      method.parameters().forEach((name, p) -> trained.put("method/" + name, p));
      optimizer = recipe.optimizer.over(trained);
      average = new Average(recipe.average, student);
      student.train(true);
    }

    private static Network network(long seed) {
      return Models.build(
          ModelSpec.parse("resnet8:width=4,stride=2"),
          1,
          CLASSES,
          28,
          Normalisation.NONE,
          new Seeds(seed),
          META);
    }

    /** What the loop does with a batch, but for the log. */
    Loss step(int epoch) {
      Tensor x = Tensor.zeros(DType.FLOAT32, META, BATCH, 1, 28, 28);
      Tensor y = Tensor.zeros(DType.INT64, META, BATCH);
      Inputs inputs = new Inputs(x, y, new int[] {0, 1, 2, 3, 4, 5}, epoch, 1, 0.5);
      try (DryRun _ = DryRun.begin()) {
        Loss loss =
            new TrainingStep(student, method, optimizer)
                .take(inputs, climbed -> recipe.attack.perturb(student, climbed, x, noise));
        average.afterStep(epoch);
        sums.add(loss, BATCH);
        return loss;
      }
    }
  }

  /** The method's recipe with an average, and an attack of three steps. */
  private static JsonObject recipe(String method) {
    JsonObject json = Recipes.load(method + "-fashion-mnist");
    Recipes.set(json, "attack.steps=3");
    Recipes.set(json, "average.name=EMA");
    return json;
  }

  private static void check(Run run, Loss loss) {
    assertEquals(META, loss.total().device());
    assertArrayEquals(new long[0], loss.total().sizes());
    run.student
        .parameters()
        .forEach(
            (name, p) -> {
              assertEquals(META, p.device(), name);
              assertNull(p.grad(), () -> name + " was not stepped");
            });
    assertFalse(run.sums.state().isEmpty());
    run.sums.state().forEach((name, sum) -> assertEquals(META, sum.device(), name));
    assertThrows(NativeException.class, run.sums::values, "reading is noticed");
  }

  @ParameterizedTest
  @MethodSource("methods")
  void aStepReadsNothingAndMakesNothingOnTheHost(String method) {
    Run run = new Run(recipe(method), lasting);
    check(run, run.step(1));
    check(run, run.step(100)); // later in a run some methods have more terms
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          sa-mdrad | method.innerLoss=KL_TEACHERS
          sa-mdrad | method.innerLoss=KL_FUSED
          sa-mdrad | optimizer={"name":"ADAMW"}
          pgd-at   | attack.norm=L2
          pgd-at   | optimizer={"name":"SGD","nesterov":true}
          fitnets  | method.reference=PAPER
          """)
  void norDoOtherSettings(String method, String setting) {
    JsonObject json = recipe(method);
    Recipes.set(json, setting);
    Run run = new Run(json, lasting);
    check(run, run.step(1));
    check(run, run.step(100));
  }

  @ParameterizedTest
  @MethodSource("listed")
  void whatIsListedStillNeedsTheHost(String method) {
    Run run = new Run(recipe(method), lasting);
    assertThrows(NativeException.class, () -> run.step(1), NEED_THE_HOST.get(method));
  }
}
