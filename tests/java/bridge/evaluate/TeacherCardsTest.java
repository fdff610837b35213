package bridge.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.Evaluation.Result;
import bridge.torch.Seeds;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The accuracies on the cards of the bundled teachers. */
class TeacherCardsTest extends MiniEvaluationTest {
  private static double cardAccuracy(String name) throws IOException {
    JsonObject card =
        JsonParser.parseString(Files.readString(CARDS.resolve(name + ".json"))).getAsJsonObject();
    assertEquals(10_000, card.getAsJsonObject("accuracy").get("images").getAsInt());
    return card.getAsJsonObject("accuracy").get("clean_test").getAsDouble();
  }

  @ParameterizedTest
  @ValueSource(strings = {"fmnist-resnet", "fmnist-vgg", "fmnist-densenet"})
  void theEmbeddedImagesGiveAboutTheAccuracyOfTheCard(String name) throws IOException {
    Result clean = run(network(name), BALL, 1000, 250, "clean").get(0);
    // three standard deviations of a share of 0.92 of 1,000 images
    assertEquals(cardAccuracy(name), clean.accuracy(), 0.026);
  }

  @ParameterizedTest
  @ValueSource(strings = {"fmnist-resnet", "fmnist-vgg", "fmnist-densenet"})
  void allTestImagesGiveTheAccuracyOfTheCard(String name) throws IOException {
    assumeTrue(
        Files.isDirectory(Path.of("/usr/share/datasets/fashion-mnist")),
        "needs Debian's dataset-fashion-mnist");
    try (ImageSet all = DataSpec.parse("fashion-mnist").load(Split.TEST);
        Batches batches = batches(all, all.size(), 500)) {
      List<Result> results =
          new Evaluation(network(name), BALL, new Seeds(3))
              .run(List.of("clean"), batches, (attack, done) -> {});
      // sums in another order than PyTorch's may turn an image that stands between two classes
      assertEquals(cardAccuracy(name), results.get(0).accuracy(), 0.0003);
    }
  }
}
