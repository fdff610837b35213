package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import bridge.GoldenDevice;
import bridge.checkpoint.TensorFile;
import bridge.method.GoldenLossesTest;
import bridge.method.Methods;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Some steps of every method, mostly thirty, against what the papers' own training code made of the
 * same networks, batches and start noise: through {@link TrainingStep}, which is the loop's, with
 * the optimiser, schedule and attack of a recipe.
 *
 * <p>In float64 nothing is chaotic, so the losses agree in nearly all digits. In float32 the
 * tolerances are those of each file as long as it attacks with the same images as float64; where a
 * gradient of nearly 0 has another sign, training amplifies it, and from that step on the wider
 * tolerance of the recordings' description applies.
 */
class GoldenTrajectoriesTest {
  /** What the inputs' tensors with a network's logits of the first batch begin with. */
  private static final String ANSWERS = "eval_logits_first_batch_";

  private static List<String> cases() throws IOException {
    try (Stream<java.nio.file.Path> files = Files.list(Trajectory.FOLDER)) {
      return files
          .map(f -> f.getFileName().toString())
          .filter(f -> f.endsWith(".json") && !f.equals("inputs.json"))
          .map(f -> f.replace(".json", ""))
          .sorted()
          .toList();
    }
  }

  /** A new method needs a case here or among the losses. */
  @Test
  void everyMethodHasAGoldenCase() throws IOException {
    Set<String> covered = new TreeSet<>(GoldenLossesTest.methods());
    for (String name : cases()) {
      try (Scope _ = Scope.open("golden");
          Trajectory golden = new Trajectory(name)) {
        covered.add(golden.method().text("name", null));
      }
    }
    assertEquals(Methods.names(), List.copyOf(covered));
  }

  @TestFactory
  Stream<DynamicTest> trajectoriesAreThoseOfThePublicCode() throws IOException {
    List<String> cases = cases().stream().filter(TinyRuns::asked).toList();
    assertFalse(cases.isEmpty());
    return cases.stream().map(name -> DynamicTest.dynamicTest(name, () -> follow(name)));
  }

  private static void follow(String name) {
    try (Scope _ = Scope.open("golden");
        Trajectory golden = new Trajectory(name)) {
      TrajectoryRun wide = new TrajectoryRun(golden, DType.FLOAT64, null);
      wide.follow();
      new TrajectoryRun(golden, DType.FLOAT32, wide).follow();
    }
  }

  @TestFactory
  Stream<DynamicTest> networksAnswerAsInPython() {
    List<String> networks;
    try (Scope _ = Scope.open("golden");
        TensorFile inputs = inputs()) {
      networks =
          inputs.tensors().keySet().stream()
              .filter(name -> name.startsWith(ANSWERS))
              .map(name -> name.substring(ANSWERS.length()))
              .toList();
    }
    assertFalse(networks.isEmpty());
    return networks.stream().map(name -> DynamicTest.dynamicTest(name, () -> answers(name)));
  }

  private static TensorFile inputs() {
    return TensorFile.read(Trajectory.FOLDER.resolve("inputs.safetensors"));
  }

  private static void answers(String file) {
    try (Scope _ = Scope.open("golden");
        TensorFile inputs = inputs()) {
      Tensor expected = GoldenDevice.there(inputs.tensors().get(ANSWERS + file));
      Tensor images = Trajectory.images(inputs, 0, DType.FLOAT32);
      Network network = Trajectory.network(file, images, (int) expected.size(1), DType.FLOAT32);
      network.train(false);
      assertEquals(0, network.logits(images).sub(expected).abs().max().item(), 1e-4);
    }
  }
}
