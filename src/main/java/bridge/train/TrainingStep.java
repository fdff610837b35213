package bridge.train;

import bridge.gradient.Objective;
import bridge.method.Method;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.Turn;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.function.Function;

/** What the loop does with a batch: attack the student, form the method's loss, descend it. */
record TrainingStep(Network student, Method method, Optimizer optimizer) {

  /**
   * @param attack images [N, C, H, W] that climb what it is given; not asked where the method
   *     trains without an attack
   * @return the loss before the descent
   */
  Loss take(Inputs inputs, Function<Objective, Tensor> attack) {
    Turn turn;
    try (Mode _ = Mode.eval(student)) {
      turn = method.begin(inputs);
    }
    Loss loss = turn.descend(turn.objective().map(attack).orElse(inputs.images()));
    loss.total().backward();
    try (NoGrad _ = NoGrad.enter()) {
      optimizer.step(optimizer.baseLearningRate() * inputs.scheduleFactor());
    }
    return loss;
  }
}
