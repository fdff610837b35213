package bridge.method;

import bridge.Options;
import bridge.UsageException;
import bridge.gradient.Objective;
import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Constant;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

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
  private record Weights(double[] gamma, double[] lambda) {
    static Weights from(Options options) {
      return new Weights(
          new double[] {options.number("gamma1", 1, 0, 1e6), options.number("gamma2", 0.1, 0, 1e6)},
          new double[] {
            options.number("lambda1", 0, 0, 1e6),
            options.number("lambda2", 1, 0, 1e6),
            options.number("lambda3", 1, 0, 1e6)
          });
    }
  }

  private final Network student;
  private final Network peer;
  private final int classes;
  private final double temperature;
  private final double peerTemperature;
  private final Weights weights;

  PeerAid(Options options, Setting setting) {
    student = setting.student();
    classes = setting.classes();
    boolean onePeer =
        setting.teachers().size() == 1 && setting.teachers().get(0).role() == Setting.Role.PEER;
    if (!onePeer) {
      throw new UsageException(
          "method peer-aid needs one teacher, of role PEER, found %s; write teachers as %s"
              .formatted(
                  setting.teachers().stream().map(Setting.Teacher::role).toList(),
                  "[{\"model\": \"resnet18\", \"role\": \"PEER\"}]"));
    }
    peer = setting.teachers().get(0).network();
    temperature = options.number("temperature", 5, 1e-2, 1e3);
    peerTemperature = options.number("peerTemperature", 1, 1e-2, 1e3);
    weights = Weights.from(options);
  }

  @Override
  public Optional<Objective> inner(Inputs inputs) {
    Tensor target;
    try (Mode _ = Mode.eval(peer)) {
      target = Constant.of(() -> peer.logits(inputs.images()).softmax(1));
    }
    return Optional.of(x -> Losses.kl(target, student.logits(x)));
  }

  @Override
  public Loss outer(Inputs inputs, Tensor adversarial) {
    Tensor y = inputs.labels();
    try (Mode _ = Mode.train(peer)) {
      Tensor tutor = peer.logits(adversarial);
      Tensor shown = Constant.unlessWeighted(weights.gamma[1], () -> student.logits(adversarial));
      Tensor adv = student.logits(adversarial);
      Tensor clean = student.logits(inputs.images());
      return new Loss()
          .plus("peerCe", weights.gamma[0], Losses.crossEntropy(tutor, y))
          .plus("peerKl", weights.gamma[1], kl(shown, tutor, peerTemperature))
          .plus("ce", weights.lambda[0], Losses.crossEntropy(adv, y))
          .plus("peer", weights.lambda[1], kl(tutor.detach(), adv, temperature))
          .plus("self", weights.lambda[2], kl(clean, adv, temperature));
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
