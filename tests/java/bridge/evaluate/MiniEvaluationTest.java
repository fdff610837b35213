package bridge.evaluate;

import bridge.ScopedTest;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.Evaluation.Result;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** Evaluations of the bundled teachers on the embedded test images. */
abstract class MiniEvaluationTest extends ScopedTest {
  static final Ball BALL = new Ball(Norm.LINF, 0.05);

  static final Path CARDS = Path.of("models");

  static ImageSet mini;

  @BeforeAll
  static void read() {
    mini = DataSpec.parse("fashion-mnist-mini").load(Split.TEST);
  }

  @AfterAll
  static void free() {
    mini.close();
  }

  static Network network(String name) {
    Network network =
        Models.build(
            ModelSpec.parse(CARDS.resolve(name + ".pt").toString()),
            1,
            10,
            28,
            Normalisation.NONE,
            new Seeds(1),
            Device.CPU);
    network.freeze();
    return network;
  }

  static Batches batches(ImageSet set, int images, int batchSize) {
    return Batches.over(set, IntStream.range(0, images).toArray()).batchSize(batchSize).build();
  }

  static List<Result> run(
      Network network, Ball ball, int images, int batchSize, String... attacks) {
    try (Batches batches = batches(mini, images, batchSize)) {
      return new Evaluation(network, ball, new Seeds(3))
          .run(List.of(attacks), batches, (attack, done) -> {});
    }
  }
}
