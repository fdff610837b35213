package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import bridge.checkpoint.TensorFile;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Thirty steps of every method against what the papers' own training code made of the same
 * networks, batches and start noise: through {@link TrainingStep}, which is the loop's, with the
 * optimiser, schedule and attack of a recipe.
 *
 * <p>In float64 nothing is chaotic, so the losses agree in nearly all digits. In float32 the
 * tolerances are those of each file as long as it attacks with the same images as float64; where a
 * gradient of nearly 0 has another sign, training amplifies it, and from that step on the wider
 * tolerance of the recordings' description applies.
 */
class GoldenTrajectoriesTest {

  @TestFactory
  Stream<DynamicTest> trajectoriesAreThoseOfThePublicCode() throws IOException {
    List<String> cases;
    try (Stream<java.nio.file.Path> files = Files.list(Trajectory.FOLDER)) {
      cases =
          files
              .map(f -> f.getFileName().toString())
              .filter(f -> f.endsWith(".json") && !f.equals("inputs.json"))
              .map(f -> f.replace(".json", ""))
              .sorted()
              .toList();
    }
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

  @ParameterizedTest
  @ValueSource(strings = {"student_initial", "teacher_adv", "teacher_nat"})
  void networksAnswerAsInPython(String file) {
    try (Scope _ = Scope.open("golden");
        TensorFile inputs = TensorFile.read(Trajectory.FOLDER.resolve("inputs.safetensors"))) {
      Tensor expected = inputs.tensors().get("eval_logits_first_batch_" + file);
      Tensor images = Trajectory.images(inputs, 0, DType.FLOAT32);
      Network network = Trajectory.network(file, images, (int) expected.size(1), DType.FLOAT32);
      network.train(false);
      assertEquals(0, network.logits(images).sub(expected).abs().max().item(), 1e-4);
    }
  }
}
