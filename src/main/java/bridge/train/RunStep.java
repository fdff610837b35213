package bridge.train;

import bridge.data.Batch;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.torch.Natives;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A step of a run: its random numbers, the training step, the average, the sums of the losses, and
 * the position after it.
 */
final class RunStep {
  private final Session session;
  private final Stages stages;
  private final TrainingStep step;

  RunStep(Session session, Stages stages) {
    this.session = session;
    this.stages = stages;
    this.step = new TrainingStep(session.student, session.method, session.optimizer, stages);
  }

  /** Trains on a batch; the session then stands after it. */
  Loss take(Batch batch) {
    Position position = session.position();
    long number = position.step() + 1;
    Inputs inputs =
        new Inputs(
            batch.images(),
            batch.labels(),
            batch.indices(),
            position.epoch(),
            number,
            session.scheduleFactor());
    Natives.seedDefaults(session.seeds.derive("dropout", number));
    session.noise.seed(session.seeds.derive("attack", number));
    Loss loss =
        step.take(
            inputs,
            climbed ->
                session.recipe.attack.perturb(
                    session.student, climbed, batch.images(), session.noise));
    try (Stages.Visit _ = stages.enter(Stage.LOG)) {
      session.average.afterStep(position.epoch());
      session.sums.add(loss, batch.images().size(0));
    }
    session.moveTo(position.afterStep(batch.images().size(0)));
    return loss;
  }

  /** The terms' values, {@code total} first; reading waits for the device. */
  static Map<String, Double> terms(Loss loss) {
    Map<String, Tensor> scalars = new LinkedHashMap<>();
    scalars.put("total", loss.total());
    scalars.putAll(loss.terms());
    return LossSums.read(scalars);
  }
}
