package bridge.train;

import bridge.gradient.Objective;
import bridge.method.Inputs;
import bridge.method.Loss;
import bridge.method.Method;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Tensor;
import java.util.Optional;
import java.util.function.Function;

/** What the loop does with a batch: attack the student, form the method's loss, descend it. */
record TrainingStep(Network student, Method method, Optimizer optimizer) {

  /**
   * @param attack images [N, C, H, W] that climb what it is given; not asked where the method
   *     trains without an attack
   * @return the loss before the descent
   */
  Loss take(Inputs inputs, Function<Objective, Tensor> attack) {
    Optional<Objective> climbed;
    try (Mode _ = Mode.eval(student)) {
      climbed = method.inner(inputs);
    }
    Loss loss = method.outer(inputs, climbed.map(attack).orElse(inputs.images()));
    loss.total().backward();
    try (NoGrad _ = NoGrad.enter()) {
      optimizer.step(optimizer.baseLearningRate() * inputs.rate());
    }
    return loss;
  }
}
