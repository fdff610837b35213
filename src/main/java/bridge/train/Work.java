package bridge.train;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * What a training step computes, whichever way it is computed; see {@link CountedNetwork}.
 *
 * @param perImage floating-point operations for each image of a batch
 * @param notCounted the networks whose layers are not known
 */
public record Work(double perImage, List<String> notCounted) {

  /** Counts a step that is taken for nothing else. */
  static Work of(Recipe recipe, BenchmarkImages images, Device device) {
    List<CountedNetwork> networks = new ArrayList<>();
    long[] shape = shape(recipe, images);
    UnaryOperator<Network> counting =
        network -> {
          networks.add(new CountedNetwork(network, shape));
          return networks.getLast();
        };
    try (Scope run = Scope.open("work");
        Session session =
            new Session(recipe, null, new Fittings(images, counting, counting), device, run);
        Batches.Epoch epoch = session.batches.epoch(1, 0)) {
      session.moveTo(StepBenchmark.lastEpoch(session));
      session.student.train(true);
      Batch batch = epoch.next();
      new RunStep(session, Stages.NONE).take(batch);
      double all = networks.stream().mapToDouble(CountedNetwork::operations).sum();
      return new Work(
          all / batch.images().size(0),
          networks.stream().filter(n -> !n.counts()).map(CountedNetwork::name).toList());
    }
  }

  private static long[] shape(Recipe recipe, BenchmarkImages images) {
    try (ImageSet test = images.apply(Split.TEST)) {
      return new long[] {test.channels(), test.height(), test.width()};
    }
  }
}
