package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.method.Setting.Role;
import bridge.method.Setting.Teacher;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is said of teachers before a run. */
class PreflightTest {
  private final Seeds seeds = new Seeds(1);
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private List<String> check(Network network, Role role) {
    network.freeze();
    int[] some = IntStream.range(0, 128).map(i -> i * 39).toArray();
    try (ImageSet set = DataSpec.parse("fashion-mnist-mini").load(Split.TRAIN);
        Batches images =
            Batches.over(set, some).batchSize(50).seeds(seeds).device(Device.CPU).build()) {
      return Preflight.check(
          List.of(new Teacher("vgg", role, network, network.penultimate())), 10, images);
    }
  }

  private Network build(String model, Normalisation normalisation) {
    return Models.build(ModelSpec.parse(model), 1, 10, 28, normalisation, seeds, Device.CPU);
  }

  private Network vgg(Normalisation normalisation) {
    return build("models/fmnist-vgg.pt", normalisation);
  }

  @Test
  void aGoodTeacherGivesOneLine() {
    List<String> lines = check(vgg(Normalisation.NONE), Role.STANDARD);
    assertEquals(1, lines.size(), lines.toString());
    assertTrue(
        lines.getFirst().matches("teacher vgg: [89]\\d\\.\\d % of 128 clean training images right"),
        lines.getFirst());
  }

  @Test
  void wrongNormalisationIsSuspected() {
    Normalisation wrong = new Normalisation(List.of(40.0), List.of(0.001));
    List<String> lines = check(vgg(wrong), Role.STANDARD);
    assertEquals(2, lines.size(), lines.toString());
    assertTrue(lines.get(0).endsWith("normalised by mean [40.0] and std [0.001]"), lines.get(0));
    assertTrue(lines.get(1).startsWith("warning: teacher vgg is right about hardly more than"));
    assertTrue(lines.get(1).contains("(10.0 %)") && lines.get(1).contains("normalisation"));
  }

  @Test
  void probabilitiesAreNoticed() {
    Network logits = vgg(Normalisation.NONE);
    Network softmax =
        new NetworkDecorator(logits) {
          @Override
          public Outputs forward(Tensor images, List<String> features) {
            Outputs out = super.forward(images, features);
            return new Outputs(out.logits().softmax(1), out.features());
          }
        };
    List<String> lines = check(softmax, Role.CLEAN);
    assertEquals(2, lines.size(), lines.toString());
    assertTrue(lines.get(1).startsWith("warning: teacher vgg gives probabilities, not logits"));
  }

  @Test
  void aPeerIsNotAsked() {
    assertEquals(List.of(), check(build("resnet8:width=2", Normalisation.NONE), Role.PEER));
  }
}
