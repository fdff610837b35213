package bridge.train;

import bridge.Options;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * A running average of the student's parameters: EMA after every step, or SWA (Izmailov et al.
 * 2018), the plain mean of what epochs from {@code startEpoch} on ended with.
 *
 * <p>The average is what is validated and written to {@code best.pth} and {@code last.pth}. Batch
 * statistics belong to other weights then, so they are estimated anew on clean training images: the
 * plain mean over the batches, as {@code torch.optim.swa_utils.update_bn} does. A TorchScript
 * student does not say how far a batch moves its statistics; there the layers move them on from the
 * trained weights' ones, batch by batch.
 */
final class Average {
  enum Kind {
    NONE,
    EMA,
    SWA
  }

  record Settings(Kind kind, double decay, int startEpoch, int batches) {
    static Settings from(Options options) {
      Settings settings =
          new Settings(
              options.choice("name", Kind.NONE),
              options.number("decay", 0.999, 0, 1),
              options.integer("startEpoch", 1, 1, 1_000_000),
              options.integer("batchNormBatches", 50, 0, 1_000_000));
      options.done();
      return settings;
    }
  }

  private final Settings settings;
  private final Network student;
  private final Map<String, Tensor> mean = new LinkedHashMap<>();
  private int count;

  Average(Settings settings, Network student) {
    this.settings = settings;
    this.student = student;
    if (settings.kind != Kind.NONE) {
      student.parameters().forEach((name, p) -> mean.put(name, p.detach().copy()));
    }
  }

  /** After an optimiser step. */
  void afterStep(int epoch) {
    if (settings.kind == Kind.EMA) {
      // the average begins as a copy of the weights at its first epoch
      blend(epoch >= settings.startEpoch ? 1 - settings.decay : 1);
    }
  }

  /** After the last step of an epoch. */
  void afterEpoch(int epoch) {
    if (settings.kind == Kind.SWA && epoch >= settings.startEpoch) {
      count++;
      blend(1.0 / count);
    }
  }

  private void blend(double weight) {
    try (Scope _ = Scope.open("average");
        NoGrad _ = NoGrad.enter()) {
      student.parameters().forEach((name, p) -> mean.get(name).lerp_(p.detach(), weight));
    }
  }

  /** Whether there is an average that stands for the student after this epoch. */
  boolean active(int epoch) {
    return settings.kind != Kind.NONE && epoch >= settings.startEpoch;
  }

  /** Runs the student on training images. */
  interface ForwardPasses {
    /**
     * Forward passes in training mode on so many batches, at most, and {@code afterEach} after
     * each.
     */
    void run(int batches, Runnable afterEach);
  }

  /** The averaged weights in the student's place; closing puts the trained ones back. */
  record Swap(Network student, Map<String, Tensor> trained) implements AutoCloseable {

    @Override
    public void close() {
      Map<String, Tensor> state = student.stateDict();
      try (NoGrad _ = NoGrad.enter()) {
        trained.forEach((name, t) -> state.get(name).copy_(t));
      }
    }
  }

  /**
   * Puts the averaged weights into the student until closed, with batch statistics estimated on
   * {@code passes}; does nothing where there is no average after this epoch.
   */
  Swap swapIn(int epoch, ForwardPasses passes) {
    Map<String, Tensor> trained = new LinkedHashMap<>();
    if (active(epoch)) {
      try (NoGrad _ = NoGrad.enter()) {
        student.stateDict().forEach((name, t) -> trained.put(name, t.detach().copy()));
        student.parameters().forEach((name, p) -> p.copy_(mean.get(name)));
        estimate(passes);
      }
    }
    return new Swap(student, trained);
  }

  private void estimate(ForwardPasses passes) {
    OptionalDouble momentum = student.statisticsMomentum();
    if (momentum.isEmpty() || settings.batches == 0) {
      passes.run(settings.batches, () -> {});
      return;
    }
    Map<String, Tensor> running = new LinkedHashMap<>();
    Map<String, Tensor> sums = new LinkedHashMap<>();
    student
        .buffers()
        .forEach(
            (name, t) -> {
              if (name.endsWith("num_batches_tracked")) {
                t.zero_();
              } else if (name.endsWith("running_mean") || name.endsWith("running_var")) {
                t.zero_();
                running.put(name, t);
                sums.put(name, t.zerosLike());
              }
            });
    // from 0, a batch moves the running statistics to momentum times its own
    int[] count = {0};
    passes.run(
        settings.batches,
        () -> {
          count[0]++;
          running.forEach(
              (name, t) -> {
                sums.get(name).add_(t, 1 / momentum.getAsDouble());
                t.zero_();
              });
        });
    running.forEach((name, t) -> t.copy_(sums.get(name).div(count[0])));
  }

  Map<String, Tensor> state() {
    return mean;
  }

  int count() {
    return count;
  }

  void restoreCount(int count) {
    this.count = count;
  }
}
