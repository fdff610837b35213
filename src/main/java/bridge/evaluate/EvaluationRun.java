package bridge.evaluate;

import bridge.attack.Attack;
import bridge.attack.AutoAttack;
import bridge.attack.Ball;
import bridge.attack.Checks;
import bridge.attack.Transfer;
import bridge.data.Batch;
import bridge.data.Batches;
import bridge.evaluate.Evaluation.Result;
import bridge.model.Network;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Trials one after the other over the same images: what each comes to alone, and together with
 * those before it.
 */
final class EvaluationRun {
  private final Network network;
  private final Optional<Network> surrogate;
  private final Ball ball;
  private final Seeds seeds;
  private final DataPass pass;
  private final Optional<BiConsumer<String, Tensor>> images;
  private final Consumer<String> warnings;
  private final BiConsumer<String, Integer> progress;

  private Optional<Tally> clean = Optional.empty();

  /** Which images are right in all trials so far. */
  private Optional<BitSet> worst = Optional.empty();

  /**
   * @param progress told the trial's name and the images done
   */
  EvaluationRun(Evaluation evaluation, DataPass pass, BiConsumer<String, Integer> progress) {
    this.network = evaluation.network;
    this.surrogate = evaluation.surrogate;
    this.ball = evaluation.ball;
    this.seeds = evaluation.seeds;
    this.pass = pass;
    this.images = evaluation.images;
    this.warnings = evaluation.warnings;
    this.progress = progress;
  }

  List<Result> all(List<Trial> trials) {
    List<Result> results = new ArrayList<>();
    for (Trial trial : trials) {
      try (Scope scope = Scope.open("trial")) {
        results.add(
            switch (trial) {
              case Trial.Clean _ -> clean(scope);
              case Trial.Attacked(String name, Attack attack) ->
                  attacked(name, attack, AttackSettings.of(attack), scope);
              case Trial.Transferred(String name, Attack attack) ->
                  transferred(name, attack, scope);
              case Trial.Ensemble(String name, AutoAttack attack) -> ensemble(name, attack, scope);
            });
      }
    }
    return results;
  }

  private Result clean(Scope scope) {
    String name = Trial.Clean.NAME;
    Tally tally = pass.run(name, new CleanBatch(network), progress);
    clean = Optional.of(tally.withoutImages()); // they are freed with this scope
    collectImages(name, tally, scope);
    return result(name, tally, new JsonObject());
  }

  /** What attacks begin with, also where nobody asked for it. */
  private Tally clean() {
    if (clean.isEmpty()) {
      DataPass withoutImages = pass.withoutImages();
      clean =
          Optional.of(
              withoutImages.run(Trial.Clean.NAME, new CleanBatch(network), (attack, done) -> {}));
    }
    return clean.get();
  }

  private Result attacked(String name, Attack attack, JsonObject settings, Scope scope) {
    Tally tally = pass.run(name, work(name, attack, clean(), false), progress);
    warnOfOutside(name, tally);
    collectImages(name, tally, scope);
    return result(name, tally, settings);
  }

  private AttackedBatch work(String key, Attack attack, Tally before, boolean survivors) {
    return new AttackedBatch(network, ball, seeds, key, attack, before, survivors);
  }

  private Result transferred(String name, Attack attack, Scope scope) {
    Network other = surrogate.orElseThrow();
    JsonObject settings = AttackSettings.of(attack);
    settings.addProperty("surrogate", other.name());
    return attacked(name, new Transfer(attack, other), settings, scope);
  }

  private Result ensemble(String name, AutoAttack attack, Scope scope) {
    Components components = new Components(name, clean());
    check(attack);
    attack.run(components, warnings);
    collectImages(name, components.last, scope);
    return result(name, components.last, AttackSettings.of(attack)).sumOf(components.results);
  }

  /** All images, which the components of an ensemble meet one after the other. */
  private final class Components implements AutoAttack.Target {
    private final String ensemble;
    private final List<Result> results = new ArrayList<>();
    private Tally last;

    Components(String ensemble, Tally clean) {
      this.ensemble = ensemble;
      this.last = clean;
    }

    @Override
    public double accuracy() {
      return last.accuracy();
    }

    @Override
    public int attack(Attack component) {
      String key = ensemble + "/" + component.name();
      last = pass.run(key, work(key, component, last, true), progress);
      warnOfOutside(component.name(), last);
      results.add(result(component.name(), last, AttackSettings.of(component)));
      return last.zeroGradients();
    }
  }

  private void check(AutoAttack attack) {
    try (Scope _ = Scope.open("checks");
        Batches.Epoch epoch = pass.batches().epoch(1, 0)) {
      if (epoch.hasNext()) {
        Batch first = epoch.next();
        Checks.before(attack, network, first.images(), first.labels()).forEach(warnings);
      }
    }
  }

  private void warnOfOutside(String attack, Tally tally) {
    if (tally.outside() > 0) {
      warnings.accept(
          "%s took %d images out of the ball or of [0, 1]; they count as not attacked"
              .formatted(attack, tally.outside()));
    }
  }

  /** The images, if they are wanted, go to the scope around the run. */
  private void collectImages(String name, Tally tally, Scope scope) {
    if (!tally.images().isEmpty()) {
      images.ifPresent(to -> to.accept(name, scope.keep(Tensor.cat(tally.images(), 0))));
    }
  }

  private Result result(String name, Tally tally, JsonObject settings) {
    BitSet right = tally.right();
    worst.ifPresent(right::and);
    worst = Optional.of(right);
    double[] perturbations = tally.perturbations();
    return new Result(
        name,
        tally.count(),
        clean().right().cardinality(),
        tally.right().cardinality(),
        right.cardinality(),
        Arrays.stream(perturbations).average().orElse(0),
        Arrays.stream(perturbations).max().orElse(0),
        tally.seconds(),
        tally.labels(),
        tally.predictions(),
        List.of(),
        settings);
  }
}
