package bridge.gradient;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import bridge.ScopedTest;
import bridge.loss.Objectives;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.CudaGraph;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.text.MessageFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A climb that replays a recorded step ends where the plain one does, whatever happens. */
class GraphedClimbTest extends ScopedTest {
  private static final int STEPS = 3;
  private static final int CLASSES = 10;

  /** PGD's step. */
  private record InBall(double length, double epsilon) implements Climb.Step {
    @Override
    public Tensor next(Tensor from, Tensor gradient, List<Tensor> fixed) {
      Tensor images = fixed.getFirst();
      return from.add(gradient.sign(), length)
          .clamp(images.sub(epsilon), images.add(epsilon))
          .clamp_(0, 1);
    }
  }

  private static final Climb.Step STEP = new InBall(0.02, 0.05);

  private final List<String> log = new ArrayList<>();
  private final Logger logger = Logger.getLogger("bridge.gradient");
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord line) {
          log.add(MessageFormat.format(line.getMessage(), line.getParameters()));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  private FakeRecorder recorder;
  private GraphedClimb graphed;

  @BeforeEach
  void listen() {
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    recorder = new FakeRecorder();
    graphed = new GraphedClimb(recorder);
  }

  @AfterEach
  void nothingStays() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
    graphed.close();
    assertEquals(0, recorder.open, "recordings that are still open");
  }

  private static Network network(Device device) {
    Network network =
        Models.build(
            ModelSpec.parse("resnet8:width=4"),
            1,
            CLASSES,
            12,
            Normalisation.NONE,
            new Seeds(7),
            device);
    network.train(false);
    return network;
  }

  private static Tensor draw(long seed, long... shape) {
    return Tensor.uniform(0, 1, Generator.on(Device.CPU, seed), Device.CPU, shape);
  }

  /** Both ways on a batch of its own, in a scope of its own: the same bits. */
  private void same(Objective.Form form, Climb.Step step, long seed, int count) {
    try (Scope _ = Scope.open("batch")) {
      Tensor images = draw(seed, count, 1, 12, 12);
      Tensor begin = images.add(draw(seed + 1, count, 1, 12, 12), 0.001);
      Objective objective = form.with(draw(seed + 2, count, CLASSES).softmax(1));
      float[] before = begin.toFloats();
      Tensor plain = Climb.PLAIN.ascend(objective, step, List.of(images), begin, STEPS);
      Tensor replayed = graphed.ascend(objective, step, List.of(images), begin, STEPS);
      assertArrayEquals(plain.toFloats(), replayed.toFloats());
      assertArrayEquals(before, begin.toFloats(), "the start has changed");
      assertFalse(Arrays.equals(before, replayed.toFloats()), "nothing has moved");
    }
  }

  private static void changeWeightsInPlace(Network network) {
    try (NoGrad _ = NoGrad.enter();
        Scope _ = Scope.open("update")) {
      network.parameters().values().forEach(p -> p.mul_(0.9).add_(p.sign(), 0.01));
      network.buffers().values().stream().filter(b -> b.dim() == 1).forEach(b -> b.mul_(1.1));
    }
  }

  @Test
  void batchesOfEachShapeShareARecording() {
    Network network = network(Device.CPU);
    Objective.Form form = Objectives.kl(network);
    for (int epoch = 0; epoch < 2; epoch++) {
      for (int batch = 0; batch < 3; batch++) {
        same(form, STEP, 10 * epoch + batch, 6);
        changeWeightsInPlace(network);
      }
      same(form, STEP, 100 + epoch, 2);
    }
    assertEquals(2, recorder.recordings);
    assertEquals(2 * 4 * STEPS, recorder.replays);
    assertEquals(List.of(), log);
  }

  @Test
  void otherStepsAndFormsAreOtherRecordings() {
    Network network = network(Device.CPU);
    Objective.Form kl = Objectives.kl(network);
    same(kl, STEP, 1, 4);
    same(kl, new InBall(0.01, 0.05), 2, 4);
    same(Objectives.kl(network, 4), STEP, 3, 4);
    same(kl, new InBall(0.01, 0.05), 4, 4);
    assertEquals(3, recorder.recordings);
  }

  @Test
  void twoNetworksAndNoConstants() {
    Network teacher = network(Device.CPU);
    Network student = network(Device.CPU);
    changeWeightsInPlace(teacher);
    Objective objective = Objectives.disagreement(teacher, student).with();
    for (int batch = 0; batch < 2; batch++) {
      Tensor images = draw(batch, 4, 1, 12, 12);
      assertArrayEquals(
          Climb.PLAIN.ascend(objective, STEP, List.of(images), images, STEPS).toFloats(),
          graphed.ascend(objective, STEP, List.of(images), images, STEPS).toFloats());
      changeWeightsInPlace(student);
    }
    assertEquals(1, recorder.recordings);
  }

  @Test
  void movedWeightsAreRecordedAnew() {
    Network network = network(Device.CPU);
    Objective.Form form = Objectives.kl(network);
    same(form, STEP, 1, 4);
    Tensor weight = network.parameters().values().iterator().next();
    weight.setData(weight.detach().mul(-1));
    same(form, STEP, 2, 4);
    same(form, STEP, 3, 4);
    assertEquals(2, recorder.recordings);
    assertEquals(1, recorder.open);
  }

  @Test
  void whatCannotBeRecordedIsClimbedPlainly() {
    recorder.refusedRecording = 2;
    Objective.Form form = Objectives.kl(network(Device.CPU));
    same(form, STEP, 1, 6);
    same(form, STEP, 2, 2);
    same(form, STEP, 3, 6);
    assertEquals(2, recorder.recordings);
    assertEquals(0, recorder.open);
    assertOneLine("libtorch: shape '[2]' is invalid for input of size 3");
  }

  @Test
  void aRefusedReplayBeginsAgainFromTheSamePoint() {
    recorder.refusedReplay = STEPS + 2;
    Objective.Form form = Objectives.kl(network(Device.CPU));
    for (int batch = 0; batch < 4; batch++) {
      same(form, STEP, batch, 4);
    }
    assertEquals(STEPS + 2, recorder.replays);
    assertEquals(0, recorder.open);
    assertOneLine("libtorch: shape '[2]' is invalid for input of size 3");
  }

  private void assertOneLine(String why) {
    assertEquals(
        List.of(
            "attacks are no longer replayed as graphs: "
                + why
                + "; they go on plainly, with the same images"),
        log);
  }

  @Test
  void formsThatAreMadeForEachBatchAreNoticed() {
    Network network = network(Device.CPU);
    for (int batch = 0; batch < 12; batch++) {
      same(Objectives.kl(network, 1 + batch), STEP, batch, 2);
      assertTrue(recorder.open <= 4, recorder.open + " recordings are open");
    }
    assertEquals(8, recorder.recordings);
    assertOneLine("8 batches in a row had nothing to replay");
  }

  @Test
  void networksInTrainingModeAreNotRecorded() {
    Network network = network(Device.CPU);
    network.train(true);
    Tensor mean = network.buffers().values().iterator().next();
    float[] before = mean.toFloats();
    Tensor images = draw(1, 4, 1, 12, 12);
    Objective objective = Objectives.kl(network).with(draw(2, 4, CLASSES).softmax(1));
    graphed.ascend(objective, STEP, List.of(images), images, STEPS);
    float[] moved = mean.toFloats();
    mean.copy_(Tensor.of(before, before.length));
    Climb.PLAIN.ascend(objective, STEP, List.of(images), images, STEPS);
    assertArrayEquals(mean.toFloats(), moved);
    assertEquals(0, recorder.recordings);
    assertEquals(List.of(), log);
  }

  @Test
  void noStepsGiveTheStart() {
    Objective objective = Objectives.kl(network(Device.CPU)).with(draw(2, 4, CLASSES).softmax(1));
    Tensor images = draw(1, 4, 1, 12, 12);
    assertEquals(images, graphed.ascend(objective, STEP, List.of(images), images, 0));
    assertEquals(0, recorder.recordings);
  }

  @Test
  @Tag("gpu")
  void onCudaReplaysGiveThePlainImages() {
    assumeTrue(Device.cudaDevices() > 0, "needs a CUDA device");
    assertEquals(Optional.empty(), CudaGraph.unavailable());
    Device cuda = new Device(0);
    Network network = network(cuda);
    Objective.Form form = Objectives.kl(network);
    try (GraphedClimb climb = new GraphedClimb(Recorder.cudaGraphs(cuda))) {
      for (int batch = 0; batch < 6; batch++) {
        try (Scope _ = Scope.open("batch")) {
          int count = batch % 3 == 2 ? 5 : 32;
          Tensor images = draw(batch, count, 1, 12, 12).to(cuda);
          Objective objective = form.with(draw(50 + batch, count, CLASSES).softmax(1).to(cuda));
          Tensor plain = Climb.PLAIN.ascend(objective, STEP, List.of(images), images, 10);
          Tensor replayed = climb.ascend(objective, STEP, List.of(images), images, 10);
          // cuDNN's sums may come in another order: where a gradient is about 0 its sign may differ
          double apart = plain.sub(replayed).abs().gt(1e-5).to(plain.dtype()).mean().item();
          assertTrue(apart < 0.01, apart + " of the pixels differ in batch " + batch);
        }
        changeWeightsInPlace(network);
      }
    }
    assertEquals(List.of(), log);
  }
}
