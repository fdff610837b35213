package bridge.evaluate;

import bridge.attack.Attack;
import bridge.attack.Ball;
import bridge.attack.Perturbed;
import bridge.data.Batch;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.BitSet;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A batch under an attack. An image that is wrong already counts as before, and so does one that
 * the attack takes out of the ball or of [0, 1].
 *
 * @param key of the random numbers
 * @param before what the images came to before: clean, or under the attacks that went ahead
 * @param survivors whether only the images still right are attacked
 */
record AttackedBatch(
    Network network,
    Ball ball,
    Seeds seeds,
    String key,
    Attack attack,
    Tally before,
    boolean survivors)
    implements BatchWork {
  /** How far beyond ε, or [0, 1], rounding may take an image. */
  private static final double ROUNDING = 1e-5;

  @Override
  public Tensor unchanged(Batch batch) {
    return before.batch(batch.step()).images().orElse(batch.images());
  }

  @Override
  public BatchResult run(Batch batch, Optional<Tensor> images) {
    long startNanos = System.nanoTime();
    int[] predictions = before.batch(batch.step()).predictions().clone();
    double[] perturbations = before.batch(batch.step()).perturbations().clone();
    BitSet right = before.right(batch.step());
    int[] rows = (survivors ? right.stream() : IntStream.range(0, predictions.length)).toArray();
    if (rows.length == 0) {
      return new BatchResult(predictions, perturbations, seconds(startNanos), 0, 0, images);
    }
    SubBatch attacked = SubBatch.of(batch, rows);
    Generator noise =
        Generator.on(batch.images().device(), seeds.derive("evaluate/" + key, batch.step()));
    Perturbed perturbed = attack.perturb(network, attacked.images(), attacked.labels(), noise);
    Tensor adversarial = perturbed.images();
    int[] attackedPredictions = Predictions.of(network, adversarial);
    double[] lengths = ball.lengths(adversarial.sub(attacked.images())).toDoubles();
    boolean[] allowed = allowed(adversarial, lengths);
    long[] replaced = new long[rows.length];
    int outside = 0;
    for (int i = 0; i < rows.length; i++) {
      if (!allowed[i]) {
        outside++;
        continue;
      }
      perturbations[rows[i]] = lengths[i];
      if (right.get(rows[i])) { // a push that happens to mend a mistake is no robustness
        predictions[rows[i]] = attackedPredictions[i];
        replaced[i] = 1;
      }
    }
    images.ifPresent(all -> attacked.put(all, adversarial, replaced));
    return new BatchResult(
        predictions,
        perturbations,
        seconds(startNanos),
        outside,
        perturbed.zeroGradients(),
        images);
  }

  private static double seconds(long startNanos) {
    return (System.nanoTime() - startNanos) / 1e9;
  }

  /** Whether each image is in the ball and in [0, 1], but for rounding; NaN is in neither. */
  private boolean[] allowed(Tensor adversarial, double[] lengths) {
    double[] smallest = adversarial.flatten(1).aminKeep(1).toDoubles();
    double[] largest = adversarial.flatten(1).amaxKeep(1).toDoubles();
    boolean[] allowed = new boolean[lengths.length];
    for (int i = 0; i < lengths.length; i++) {
      allowed[i] =
          lengths[i] <= ball.epsilon() + ROUNDING * (1 + ball.epsilon())
              && smallest[i] >= -ROUNDING
              && largest[i] <= 1 + ROUNDING;
    }
    return allowed;
  }
}
