package bridge.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** EMA and SWA by hand; batch statistics as update_bn makes them. */
final class AverageTest {
  private static final String STEM = "conv1.weight";

  private static Network network(String model) {
    return Models.build(
        ModelSpec.parse(model), 1, 10, 28, Normalisation.NONE, new Seeds(3), Device.CPU);
  }

  private static Average average(String json, Network network) {
    var object = JsonParser.parseString(json).getAsJsonObject();
    return new Average(Average.Settings.from(new Options("average", object)), network);
  }

  private static void fill(Network network, double value) {
    try (NoGrad _ = NoGrad.enter()) {
      network.parameters().values().forEach(p -> p.zero_().add_(value));
    }
  }

  private static void assertMean(double expected, Average average) {
    for (var entry : average.state().entrySet()) {
      assertEquals(expected, entry.getValue().max().item(), 1e-6 * expected, entry.getKey());
      assertEquals(expected, entry.getValue().min().item(), 1e-6 * expected, entry.getKey());
    }
  }

  private static List<Tensor> images(int batches) {
    List<Tensor> images = new ArrayList<>();
    for (int i = 0; i < batches; i++) {
      images.add(
          Tensor.uniform(0, 1, Generator.on(Device.CPU, 40 + i), Device.CPU, 6 + 2 * i, 1, 28, 28));
    }
    return images;
  }

  /** What the trainer does: so many batches, but not more than there are. */
  private static Average.ForwardPasses showing(Network network, List<Tensor> images) {
    return (batches, each) -> {
      for (int i = 0; i < Math.min(batches, images.size()); i++) {
        network.logits(images.get(i));
        each.run();
      }
    };
  }

  private static Map<String, Tensor> copy(Network network) {
    Map<String, Tensor> copy = new LinkedHashMap<>();
    network.stateDict().forEach((name, t) -> copy.put(name, t.detach().copy()));
    return copy;
  }

  private static void assertSame(Map<String, Tensor> expected, Network found) {
    found
        .stateDict()
        .forEach(
            (name, t) ->
                assertArrayEquals(expected.get(name).toDoubles(), t.detach().toDoubles(), 0, name));
  }

  @Test
  void emaMovesAfterEveryStepFromItsFirstEpochOn() {
    try (Scope _ = Scope.open("test")) {
      Network student = network("resnet8:width=2,stride=2");
      Average average = average("{name: EMA, decay: 0.75, startEpoch: 2}", student);
      fill(student, 8);
      average.afterStep(1);
      assertMean(8, average);
      assertFalse(average.active(1));
      fill(student, 4);
      average.afterStep(2);
      assertMean(0.75 * 8 + 0.25 * 4, average);
      average.afterStep(2);
      assertMean(0.75 * 7 + 0.25 * 4, average);
      average.afterEpoch(2);
      assertMean(6.25, average);
      assertTrue(average.active(2));
    }
  }

  @Test
  void swaIsThePlainMeanOfItsEpochs() {
    try (Scope _ = Scope.open("test")) {
      Network student = network("resnet8:width=2,stride=2");
      Average average = average("{name: SWA, startEpoch: 2}", student);
      double[] ends = {100, 2, 3, 10};
      double[] means = {0, 2, 2.5, 5};
      for (int epoch = 1; epoch <= ends.length; epoch++) {
        fill(student, ends[epoch - 1]);
        average.afterStep(epoch);
        average.afterEpoch(epoch);
        assertEquals(epoch > 1, average.active(epoch));
        if (epoch > 1) {
          assertMean(means[epoch - 1], average);
        }
        assertEquals(epoch - 1, average.count());
      }
    }
  }

  @Test
  void aRestoredCountGoesOnWithTheMean() {
    try (Scope _ = Scope.open("test")) {
      Network student = network("resnet8:width=2,stride=2");
      Average average = average("{name: SWA}", student);
      fill(student, 1);
      average.afterEpoch(1);
      Average resumed = average("{name: SWA}", student);
      resumed.restoreCount(average.count());
      fill(student, 3);
      resumed.afterEpoch(2);
      assertMean(2, resumed);
    }
  }

  @Test
  void withoutAnAverageNothingIsKept() {
    try (Scope _ = Scope.open("test")) {
      Average average = average("{}", network("resnet8:width=2,stride=2"));
      average.afterStep(1);
      average.afterEpoch(1);
      assertFalse(average.active(1));
      assertTrue(average.state().isEmpty());
    }
  }

  @Test
  void closingRestoresEveryTensorBitForBit() {
    for (String model : List.of("resnet8:width=2,stride=2", "models/fmnist-resnet.pt")) {
      try (Scope _ = Scope.open("test")) {
        Network student = network(model);
        student.train(true);
        Average average = average("{name: EMA, batchNormBatches: 2}", student);
        List<Tensor> images = images(2);
        student.logits(images.get(0)); // statistics of its own
        try (NoGrad _ = NoGrad.enter()) {
          student.parameters().values().forEach(p -> p.add_(0.125));
        }
        Map<String, Tensor> before = copy(student);
        try (Average.Swap _ = average.swapIn(1, showing(student, images))) {
          student
              .parameters()
              .forEach(
                  (name, p) ->
                      assertArrayEquals(
                          average.state().get(name).toDoubles(), p.detach().toDoubles(), 0, name));
          Tensor moved = student.parameters().get(student.parameters().keySet().iterator().next());
          assertTrue(moved.detach().ne(before.values().iterator().next()).sum().itemLong() > 0);
        }
        assertSame(before, student);
      }
    }
  }

  /** Rounding of momentum times the batch's statistics, divided out again: about 1e-7. */
  @Test
  void statisticsAreThePlainMeanOverTheBatches() {
    try (Scope _ = Scope.open("test")) {
      Network student = network("resnet8:width=2,stride=2");
      student.train(true);
      Average average = average("{name: EMA, batchNormBatches: 3}", student);
      List<Tensor> images = images(4);
      double[] mean = new double[2];
      double[] variance = new double[2];
      for (Tensor batch : images.subList(0, 3)) {
        Tensor y = batch.conv2d(student.parameters().get(STEM).detach(), null, 2, 1, 1);
        double[] m = y.mean(0, 2, 3).toDoubles();
        double[] v = y.transpose(0, 1).flatten(1).varianceKeep(1).toDoubles();
        double n = y.numel() / 2.0;
        for (int c = 0; c < 2; c++) {
          mean[c] += m[c] / 3;
          variance[c] += v[c] * n / (n - 1) / 3;
        }
      }
      student.logits(images.get(3)); // statistics before, which must leave no trace
      try (Average.Swap _ = average.swapIn(1, showing(student, images))) {
        Map<String, Tensor> state = student.stateDict();
        assertArrayEquals(mean, state.get("bn1.running_mean").toDoubles(), 1e-6);
        assertArrayEquals(variance, state.get("bn1.running_var").toDoubles(), 1e-6);
        assertEquals(3, state.get("bn1.num_batches_tracked").itemLong());
      }
    }
  }

  @Test
  void noBatchesLeaveTheTrainedStatistics() {
    try (Scope _ = Scope.open("test")) {
      Network student = network("resnet8:width=2,stride=2");
      student.train(true);
      Average average = average("{name: EMA, batchNormBatches: 0}", student);
      student.logits(images(1).get(0));
      Map<String, Tensor> before = copy(student);
      try (Average.Swap _ = average.swapIn(1, showing(student, images(1)))) {
        assertSame(before, student);
      }
    }
  }
}
