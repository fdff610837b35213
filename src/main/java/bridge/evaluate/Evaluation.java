package bridge.evaluate;

import bridge.attack.Ball;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.evaluate.AttackNames.NamedAttack;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Attacks over a data set: how many of all images are still classified rightly. Images that are
 * wrong without an attack count as wrong under it. The network is in evaluation mode.
 */
public final class Evaluation {

  /**
   * One attack's outcome.
   *
   * @param worstCorrect images right under this attack and all before it
   * @param meanPerturbation of the images, in the norm of the evaluation; 0 for clean
   */
  public record Result(
      String attack,
      int images,
      int correct,
      int worstCorrect,
      double meanPerturbation,
      double maxPerturbation,
      double seconds) {

    /** From 0 to 1. */
    public double accuracy() {
      return images == 0 ? 0 : (double) correct / images;
    }

    /** Accuracy under the worst of the attacks so far, per image. */
    public double worstAccuracy() {
      return images == 0 ? 0 : (double) worstCorrect / images;
    }
  }

  private final Network network;
  private final Ball ball;
  private final Seeds seeds;

  public Evaluation(Network network, Ball ball, Seeds seeds) {
    this.network = network;
    this.ball = ball;
    this.seeds = seeds;
  }

  /**
   * Runs the attacks one after the other over the same images, in the data's order.
   *
   * @param batches without shuffling or augmentation
   * @param progress told the attack's name and the images done
   */
  public List<Result> run(
      List<String> attacks, Batches batches, BiConsumer<String, Integer> progress) {
    return run(batches, progress, AttackNames.parse(attacks, ball));
  }

  /** The quick check of a training run: clean, and PGD of so many steps of ε/4. */
  public List<Result> validate(int steps, Batches batches) {
    return run(batches, (attack, done) -> {}, AttackNames.validation(steps, ball));
  }

  private List<Result> run(
      Batches batches, BiConsumer<String, Integer> progress, List<NamedAttack> all) {
    List<Result> results = new ArrayList<>();
    BitSet clean = null;
    BitSet worst = null;
    try (Mode _ = Mode.eval(network)) {
      for (NamedAttack attack : all) {
        if (clean == null && attack.attack() != null) {
          clean = run(AttackNames.NONE, batches, (name, done) -> {}).right;
        }
        Tally tally = run(attack, batches, progress);
        if (attack.attack() == null) {
          clean = tally.right;
        } else {
          tally.right.and(clean); // a push that happens to mend a mistake is no robustness
        }
        if (worst == null) {
          worst = (BitSet) tally.right.clone();
        } else {
          worst.and(tally.right);
        }
        results.add(tally.result(attack.name(), worst.cardinality()));
      }
    }
    return results;
  }

  private Tally run(NamedAttack attack, Batches batches, BiConsumer<String, Integer> progress) {
    Tally tally = new Tally();
    try (Batches.Epoch epoch = batches.epoch(1, 0)) {
      while (epoch.hasNext()) {
        try (Scope _ = Scope.open("evaluate")) {
          Batch batch = epoch.next();
          Generator noise =
              Generator.on(
                  batch.images().device(), seeds.derive("evaluate/" + attack.name(), batch.step()));
          Tensor images =
              attack.attack() == null
                  ? batch.images()
                  : attack.attack().perturb(network, batch.images(), batch.labels(), noise);
          tally.add(batch, images);
          progress.accept(attack.name(), tally.images);
        }
      }
    }
    return tally;
  }

  /** What one attack has come to so far. */
  private final class Tally {
    private final BitSet right = new BitSet();
    private final long began = System.nanoTime();
    private int images;
    private double sum;
    private double max;

    void add(Batch batch, Tensor adversarial) {
      try (NoGrad _ = NoGrad.enter()) {
        Tensor hit = network.logits(adversarial).argmax(1).eq(batch.labels());
        long[] hits = hit.toLongs();
        for (int i = 0; i < hits.length; i++) {
          right.set(images + i, hits[i] != 0);
        }
        for (double size : sizes(adversarial.sub(batch.images()))) {
          sum += size;
          max = Math.max(max, size);
        }
        images += hits.length;
      }
    }

    private double[] sizes(Tensor delta) {
      return switch (ball.norm()) {
        case LINF -> delta.abs().flatten(1).amaxKeep(1).toDoubles();
        case L2 -> delta.flatten(1).norm2Keep(1).toDoubles();
      };
    }

    Result result(String attack, int worstCorrect) {
      return new Result(
          attack,
          images,
          right.cardinality(),
          worstCorrect,
          images == 0 ? 0 : sum / images,
          max,
          (System.nanoTime() - began) / 1e9);
    }
  }
}
