package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.method.parts.Teacher;
import bridge.method.parts.Teacher.Role;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.model.Normalisation;
import bridge.model.Precision;
import bridge.torch.Device;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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
    return check(network, role, Optional.empty());
  }

  private List<String> check(
      Network network, Role role, Optional<Preflight.Comparison> comparison) {
    int[] some = IntStream.range(0, 128).map(i -> i * 39).toArray();
    try (ImageSet set = DataSpec.parse("fashion-mnist-mini").load(Split.TRAIN);
        Batches images =
            Batches.over(set, some).batchSize(50).seeds(seeds).device(Device.CPU).build()) {
      Teacher teacher = new Teacher("vgg", role, network, network.penultimate());
      return Preflight.check(teacher, comparison, 10, images);
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

  /** A teacher in half precision beside another network that passes for it in float32. */
  private List<String> compare(Network network, Precision precision, Network exact) {
    network.freeze();
    exact.freeze();
    Network half = Models.inPrecision(network, precision, 1, 28);
    return check(half, Role.STANDARD, Optional.of(new Preflight.Comparison(precision, exact)));
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "FLOAT32")
  void aTeacherThatRoundingLeavesAloneIsNotSuspected(Precision precision) {
    Network exact = vgg(Normalisation.NONE);
    List<String> lines = compare(vgg(Normalisation.NONE), precision, exact);
    assertEquals(3, lines.size(), lines.toString());
    assertTrue(
        lines
            .get(1)
            .matches(
                ("teacher vgg in %s predicts otherwise than in FLOAT32 on [01] of 128 images"
                        + " \\(0\\.[08] %%\\), and its logits are up to 0\\.\\d+ apart")
                    .formatted(precision)),
        lines.get(1));
    assertTrue(
        lines.get(2).startsWith("warning: teacher vgg in %s takes half the".formatted(precision)),
        lines.get(2));
  }

  @Test
  void otherPredictionsAreWarnedAbout() {
    Network exact = build("models/fmnist-resnet.pt", Normalisation.NONE);
    List<String> lines = compare(vgg(Normalisation.NONE), Precision.BFLOAT16, exact);
    assertTrue(
        lines
            .get(1)
            .matches(
                "warning: teacher vgg in BFLOAT16 predicts otherwise than in FLOAT32 on \\d+ of"
                    + " 128 images \\(\\d+\\.\\d %\\), and 0 of its 1280 logits are not finite;"
                    + " choose another precision for it \\(teachers\\[]\\.precision\\)"),
        lines.get(1));
  }

  /** Its logits are some ten thousands: more than the 65,504 of FLOAT16. */
  @Test
  void logitsThatAreNotFiniteAreWarnedAbout() {
    for (Precision precision : List.of(Precision.FLOAT16, Precision.BFLOAT16)) {
      List<String> lines = compare(loud(), precision, loud());
      boolean overflows = precision == Precision.FLOAT16;
      assertEquals(overflows, lines.get(1).startsWith("warning: "), lines.get(1));
      assertEquals(
          overflows,
          lines.get(1).matches(".*, and [1-9]\\d* of its 1280 logits are not finite; .*"),
          lines.get(1));
    }
  }

  private Network loud() {
    Network network = vgg(Normalisation.NONE);
    try (NoGrad _ = NoGrad.enter()) {
      network.parameters().get("classifier.weight").mul_(30_000);
    }
    return network;
  }

  @Test
  void aPeerIsNotAsked() {
    assertEquals(List.of(), check(build("resnet8:width=2", Normalisation.NONE), Role.PEER));
  }
}
