package bridge.train;

import bridge.attack.Attack;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.evaluate.AttackNames;
import bridge.model.Network;
import bridge.torch.ComputePrecision;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Natives;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Measures an attack of the evaluation on the first batch of a recipe's test images, against its
 * student as it begins. Images count as right with the class that the student gives them, so that
 * an untrained one is attacked on all of them; since it falls at the first push, only a trained one
 * (ARCH@CHECKPOINT) shows what AutoAttack takes.
 */
public final class AttackBenchmark {
  private static final double SECONDS = 24;

  /**
   * What was measured.
   *
   * @param images in the batch
   * @param seconds of each time the batch was attacked
   * @param broken how many images were taken for another class at the end
   * @param peakBytes the most resident memory of the process so far
   */
  public record Result(
      boolean randomImages, int images, List<Double> seconds, int broken, long peakBytes) {

    public Spread imagesPerSecond() {
      return Spread.of(seconds.stream().map(s -> images / s).toList());
    }
  }

  private AttackBenchmark() {}

  /**
   * Measures, after a pass forward and back to warm up.
   *
   * @param name as {@code evaluate --attacks} takes it; its ball is the recipe's
   * @param times how often; empty for half a minute's worth, at least once
   * @throws bridge.UsageException for an unknown attack, or if the recipe names what is not there,
   *     but for its data
   */
  public static Result measure(Recipe recipe, String name, Device device, OptionalInt times) {
    Attack attack = AttackNames.named(name, recipe.attack.ball());
    BenchmarkImages images = new BenchmarkImages(recipe);
    Seeds seeds = new Seeds(recipe.seed);
    try (Scope _ = Scope.open("benchmark");
        RunData data = new RunData(recipe, images, seeds, device);
        Batches batches = data.test();
        Batches.Epoch epoch = batches.epoch(1, 0)) {
      Network network = new Networks(recipe, data, seeds, device, _ -> {}).student();
      network.freeze();
      network.channelsLast(ComputePrecision.FLOAT32);
      attack.checkClasses(network);
      Batch batch = epoch.next();
      Tensor labels = classes(network, batch.images());
      Generator noise = Generator.on(device, recipe.seed);
      AttackNames.named("fgsm", recipe.attack.ball())
          .perturb(network, batch.images(), labels, noise);
      List<Double> seconds = new ArrayList<>();
      int broken = 0;
      do {
        try (Scope _ = Scope.open("attack")) {
          long begin = System.nanoTime();
          Tensor found = attack.perturb(network, batch.images(), labels, noise).images();
          HostTime.settle(device);
          seconds.add((System.nanoTime() - begin) / 1e9);
          Tensor changed = classes(network, found).ne(labels);
          broken = (int) changed.to(DType.INT64).sum().itemLong();
        }
      } while (times.isPresent() ? seconds.size() < times.getAsInt() : again(seconds));
      return new Result(
          images.areRandom(),
          (int) batch.images().size(0),
          seconds,
          broken,
          Natives.peakResidentBytes());
    }
  }

  private static boolean again(List<Double> seconds) {
    return seconds.stream().mapToDouble(s -> s).sum() < SECONDS;
  }

  private static Tensor classes(Network network, Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      return network.logits(images).argmax(1);
    }
  }
}
