package bridge.train;

import bridge.gradient.FoldedNetwork;
import bridge.gradient.Objective;
import bridge.method.Method;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.Turn;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Shards;
import bridge.torch.Tensor;
import java.util.function.Function;

/**
 * What the loop does with a batch: attack the student, form the method's loss, descend it.
 *
 * @param stages told what is done when
 */
record TrainingStep(Network student, Method method, Optimizer optimizer, Stages stages) {

  /** One that nobody measures. */
  TrainingStep(Network student, Method method, Optimizer optimizer) {
    this(student, method, optimizer, Stages.NONE);
  }

  /**
   * @param attack images [N, C, H, W] that climb what it is given; not asked where the method
   *     trains without an attack
   * @return the loss before the descent
   */
  Loss take(Inputs inputs, Function<Objective, Tensor> attack) {
    Turn turn;
    try (Stages.Visit _ = stages.enter(Stage.FORWARD);
        Mode _ = Mode.eval(student)) {
      turn = method.begin(inputs);
    }
    Tensor adversarial;
    try (Stages.Visit _ = stages.enter(Stage.ATTACK)) {
      adversarial = turn.objective().map(attack).orElse(inputs.images());
    }
    boolean small =
        student instanceof FoldedNetwork folded && folded.isSmallFor(inputs.images().size(0));
    try (Shards.OneThread _ = small ? Shards.OneThread.enter() : null) {
      return descend(turn, adversarial, inputs.scheduleFactor());
    }
  }

  private Loss descend(Turn turn, Tensor adversarial, double scheduleFactor) {
    Loss loss;
    try (Stages.Visit _ = stages.enter(Stage.FORWARD)) {
      loss = turn.descend(adversarial);
    }
    try (Stages.Visit _ = stages.enter(Stage.BACKWARD)) {
      loss.total().backward();
    }
    try (Stages.Visit _ = stages.enter(Stage.OPTIMISER);
        NoGrad _ = NoGrad.enter()) {
      optimizer.step(optimizer.baseLearningRate() * scheduleFactor);
    }
    return loss;
  }
}
