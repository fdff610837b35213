package bridge.evaluate;

import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.data.Batches;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Attacks over a data set: how many of all images are still classified rightly. Images that are
 * wrong without an attack count as wrong under it. The network is in evaluation mode.
 *
 * <p>AutoAttack's components run one after the other over all images, each on those that are right
 * after the ones before. An image that an attack takes out of the ball, or out of [0, 1], counts as
 * not attacked, and is told of as a warning.
 */
public final class Evaluation {
  /**
   * One attack's outcome.
   *
   * @param cleanCorrect images right without an attack
   * @param worstCorrect images right under this attack and all before it
   * @param meanPerturbation of the images, in the norm of the evaluation; 0 for clean
   * @param seconds all it took, also before an interruption
   * @param labels of the images, in their order
   * @param predictions what the network says of them under the attack; for images that are wrong
   *     without it, what it says of those
   * @param components of AutoAttack, each after all before it; else none
   * @param settings the attack's own; empty for clean
   */
  public record Result(
      String attack,
      int images,
      int cleanCorrect,
      int correct,
      int worstCorrect,
      double meanPerturbation,
      double maxPerturbation,
      double seconds,
      List<Integer> labels,
      List<Integer> predictions,
      List<Result> components,
      JsonObject settings) {

    /** From 0 to 1. */
    public double accuracy() {
      return share(correct);
    }

    /** Accuracy under the worst of the attacks so far, per image. */
    public double worstAccuracy() {
      return share(worstCorrect);
    }

    /**
     * W-Robust of the MTARD papers: half the accuracy without an attack and half that under this
     * one.
     */
    public double weightedAccuracy() {
      return (share(cleanCorrect) + accuracy()) / 2;
    }

    public boolean isClean() {
      return attack.equals(Trial.Clean.NAME);
    }

    /** The last component's, as that of all of them. */
    Result sumOf(List<Result> all) {
      return new Result(
          attack,
          images,
          cleanCorrect,
          correct,
          worstCorrect,
          meanPerturbation,
          maxPerturbation,
          all.stream().mapToDouble(Result::seconds).sum(),
          labels,
          predictions,
          all,
          settings);
    }

    private double share(int count) {
      return images == 0 ? 0 : (double) count / images;
    }
  }

  final Network network;
  final Ball ball;
  final Seeds seeds;

  Optional<Network> surrogate = Optional.empty();
  Optional<BiConsumer<String, Tensor>> images = Optional.empty();
  Consumer<String> warnings = warning -> {};

  private int restarts = 1;
  private int workers = 1;
  private Optional<EvaluationState> state = Optional.empty();

  public Evaluation(Network network, Ball ball, Seeds seeds) {
    this.network = network;
    this.ball = ball;
    this.seeds = seeds;
  }

  /** Restarts of the attacks that start at random and whose names say nothing of them; 1. */
  public Evaluation restarts(int times) {
    restarts = times;
    return this;
  }

  /**
   * How many batches are attacked at once, each by a thread of its own with its share of the
   * threads of an operation: on the processor as many as it has cores, on CUDA 1, the default. The
   * network must be free of state in evaluation mode.
   */
  public Evaluation workers(int batches) {
    workers = batches;
    return this;
  }

  /** What {@code transfer} makes its images against. */
  public Evaluation surrogate(Network other) {
    surrogate = Optional.of(other);
    return this;
  }

  /** Goes on from what is in there, and keeps every batch there once it is done. */
  public Evaluation state(EvaluationState folder) {
    state = Optional.of(folder);
    return this;
  }

  /**
   * Who is given each attack's images [N, C, H, W], on the processor, in the scope around the run:
   * for images that are wrong without an attack, and those that AutoAttack did not break, the image
   * itself.
   */
  public Evaluation images(BiConsumer<String, Tensor> to) {
    images = Optional.of(to);
    return this;
  }

  /** Who is told, a line each, why a number may be wrong. */
  public Evaluation warnings(Consumer<String> to) {
    warnings = to;
    return this;
  }

  /**
   * Runs the attacks one after the other over the same images, in the data's order.
   *
   * @param batches without shuffling or augmentation
   * @param progress told the attack's name and the images done
   */
  public List<Result> run(
      List<String> attacks, Batches batches, BiConsumer<String, Integer> progress) {
    return run(
        batches, progress, AttackNames.parse(attacks, ball, restarts, surrogate.isPresent()));
  }

  /** As {@link #run}, with attacks of one's own; each has its name, and no more restarts. */
  public List<Result> against(List<Attack> attacks, Batches batches) {
    List<Trial> trials = attacks.stream().map(attack -> Trial.of(attack.name(), attack)).toList();
    return run(batches, (attack, done) -> {}, trials);
  }

  /** The quick check of a training run: clean, and PGD of so many steps of ε/4. */
  public List<Result> validate(int steps, Batches batches) {
    return run(batches, (attack, done) -> {}, AttackNames.validation(steps, ball));
  }

  private List<Result> run(
      Batches batches, BiConsumer<String, Integer> progress, List<Trial> trials) {
    trials.forEach(this::checkClasses);
    int concurrent = Math.clamp(batches.stepsPerEpoch(), 1, workers);
    try (Mode _ = Mode.eval(network);
        Workers pool = new Workers(concurrent)) {
      DataPass pass = new DataPass(batches, pool, state, images.isPresent());
      return new EvaluationRun(this, pass, progress).all(trials);
    }
  }

  /** Refuses at once what would be refused after hours. */
  private void checkClasses(Trial trial) {
    switch (trial) {
      case Trial.Clean _ -> {}
      case Trial.Attacked attacked -> attacked.attack().checkClasses(network);
      case Trial.Transferred other -> other.attack().checkClasses(surrogate.orElseThrow());
      case Trial.Ensemble ensemble -> ensemble.attack().checkClasses(network);
    }
  }
}
