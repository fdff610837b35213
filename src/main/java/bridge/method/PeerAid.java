package bridge.method;

import bridge.Options;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.loss.Objectives;
import bridge.method.parts.Inputs;
import bridge.method.parts.Loss;
import bridge.method.parts.MethodContext;
import bridge.method.parts.Turn;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * PeerAiD (Jung, Jang, Song, Lee: CVPR 2024): a peer network trains beside the student, on the
 * student's adversarial images, and teaches it. With s, p the logits of student and peer, x' the
 * attack's images, and KL the mean over batch and classes:
 *
 * <pre>
 *   attack   KL(p(x) ‖ s(x')), p(x) constant, peer and student in evaluation mode
 *   peer     γ₁ CE(p(x'), y) + γ₂ τ² KL(s(x')/τ ‖ p(x')/τ)
 *   student  λ₁ CE(s(x'), y) + λ₂ T² KL(p(x')/T ‖ s(x')/T) + λ₃ T² KL(s(x)/T ‖ s(x')/T)
 * </pre>
 *
 * <p>The sum is descended in one step, peer and student each with the recipe's optimiser, rate and
 * decay: the released code (jaewonalive/PeerAiD, main.py and attack_function.py) has two optimisers
 * of the same settings. As there, only p(x') in the λ₂ term and p(x) in the attack are constants:
 * the γ₂ term moves the student too, and the λ₃ term both its sides. As there, the student in
 * training mode sees x' twice, once for the peer's loss and once for its own, then x: the batch
 * statistics move three times a step. The peer sees x' once in training mode.
 *
 * <p>All this is the code's, commit 225c167. Of the paper's text only the abstract was at hand, so
 * whether a formula differs is not known, and there is no {@code reference}. The defaults are
 * CIFAR-10's; CIFAR-100's γ₂ is 1; Tiny-ImageNet has T = 1, γ₂ = 100, λ = (0.035, 35, 20). The
 * student's weights are averaged (SWA) from the first drop of the rate on: the recipe's {@code
 * average}.
 */
final class PeerAid implements Method {

  /**
   * @param temperature T
   * @param peerTemperature τ
   */
  record Settings(
      double temperature,
      double peerTemperature,
      double gamma1,
      double gamma2,
      double lambda1,
      double lambda2,
      double lambda3)
      implements MethodSettings {
    static Settings from(Options options) {
      return new Settings(
          options.number("temperature", 5, 1e-2, 1e3),
          options.number("peerTemperature", 1, 1e-2, 1e3),
          options.number("gamma1", 1, 0, 1e6),
          options.number("gamma2", 0.1, 0, 1e6),
          options.number("lambda1", 0, 0, 1e6),
          options.number("lambda2", 1, 0, 1e6),
          options.number("lambda3", 1, 0, 1e6));
    }

    @Override
    public Method over(MethodContext context) {
      return new PeerAid(this, context);
    }
  }

  private final Settings settings;
  private final Network student;
  private final Network peer;
  private final int classes;
  private final Objective.Form climbed;

  private PeerAid(Settings settings, MethodContext context) {
    this.settings = settings;
    student = context.student();
    peer = context.teacher().network();
    classes = context.classes();
    climbed = Objectives.kl(student);
  }

  @Override
  public Turn begin(Inputs inputs) {
    try (Mode _ = Mode.eval(peer)) {
      Tensor target = Constant.of(() -> peer.logits(inputs.images()).softmax(1));
      return Turn.attack(climbed.with(target), adversarial -> descend(inputs, adversarial));
    }
  }

  private Loss descend(Inputs inputs, Tensor adversarial) {
    Tensor y = inputs.labels();
    double t = settings.temperature;
    try (Mode _ = Mode.train(peer)) {
      Tensor peerLogits = peer.logits(adversarial);
      Tensor studentLogits =
          Constant.unlessWeighted(settings.gamma2, () -> student.logits(adversarial));
      Tensor adv = student.logits(adversarial);
      Tensor clean = student.logits(inputs.images());
      return new Loss()
          .plus("peerCe", settings.gamma1, Losses.crossEntropy(peerLogits, y))
          .plus("peerKl", settings.gamma2, kl(studentLogits, peerLogits, settings.peerTemperature))
          .plus("ce", settings.lambda1, Losses.crossEntropy(adv, y))
          .plus("peer", settings.lambda2, kl(peerLogits.detach(), adv, t))
          .plus("self", settings.lambda3, kl(clean, adv, t));
    }
  }

  /** T² KL(softmax(from / T) ‖ softmax(to / T)), the mean over batch and classes. */
  private Tensor kl(Tensor from, Tensor to, double t) {
    return Losses.klBetweenLogits(from.div(t), to.div(t)).mean().mul(t * t / classes);
  }

  @Override
  public Map<String, Tensor> parameters() {
    return named(peer.parameters());
  }

  @Override
  public Map<String, Tensor> state() {
    return named(peer.stateDict());
  }

  private static Map<String, Tensor> named(Map<String, Tensor> tensors) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> all.put("peer." + name, tensor));
    return all;
  }
}
