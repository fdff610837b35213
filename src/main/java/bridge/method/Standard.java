package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Network;
import bridge.torch.Tensor;
import java.util.Optional;

/** Natural training: the mean cross-entropy on clean images, no attack. */
final class Standard implements Method {
  private final Network student;

  Standard(Options options, Setting setting) {
    Methods.refuseTeachers("standard", setting);
    student = setting.student();
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    return Optional.empty();
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor logits = student.logits(inputs.images());
    return new Loss().plus("ce", 1, Losses.crossEntropy(logits, inputs.labels()));
  }
}
