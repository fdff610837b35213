package bridge.attack;

import bridge.UsageException;
import bridge.loss.Losses;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.Optional;

/**
 * An attack several times over, from other random starts, and the worst of it per image: the first
 * that the network gets wrong, after which the image is left alone, else the one of the largest
 * cross-entropy.
 *
 * @param times 1 or more
 */
public record Restarts(Attack attack, int times) implements Attack {
  public Restarts {
    if (times < 1) {
      throw new UsageException(
          "%s needs 1 restart or more, found %d".formatted(attack.name(), times));
    }
  }

  @Override
  public String name() {
    return "%s-r%d".formatted(attack.name(), times);
  }

  @Override
  public boolean randomStart() {
    return attack.randomStart();
  }

  @Override
  public boolean targeted() {
    return attack.targeted();
  }

  @Override
  public Optional<Attack> withRestarts(int others) {
    return Optional.of(new Restarts(attack, others));
  }

  @Override
  public int leastClasses() {
    return attack.leastClasses();
  }

  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope all = Scope.open("restarts");
        Mode _ = Mode.eval(network)) {
      Perturbed first = attack.perturb(network, images, labels, noise);
      Tensor worst = first.images();
      int zeroGradients = first.zeroGradients();
      for (int i = 1; i < times; i++) {
        Tensor rows = right(network, worst, labels);
        if (rows.size(0) == 0) {
          break;
        }
        Tensor remainingLabels = labels.indexSelect(0, rows);
        Tensor before = worst.indexSelect(0, rows);
        Perturbed perturbed =
            attack.perturb(network, images.indexSelect(0, rows), remainingLabels, noise);
        Tensor worse = worse(network, remainingLabels, before, perturbed.images());
        worst = worst.copy().indexCopy_(0, rows, worse);
        zeroGradients = Math.max(zeroGradients, perturbed.zeroGradients());
      }
      return new Perturbed(all.keep(worst), zeroGradients);
    }
  }

  /** The rows that are classified rightly, int64 [M]. */
  private static Tensor right(Network network, Tensor images, Tensor labels) {
    try (Scope scope = Scope.open("right");
        NoGrad _ = NoGrad.enter()) {
      return scope.keep(network.logits(images).argmax(1).eq(labels).nonzero().squeeze(1));
    }
  }

  /** Per image the wrong one, or of two right ones that of the larger loss. */
  private static Tensor worse(Network network, Tensor labels, Tensor before, Tensor adversarial) {
    try (Scope scope = Scope.open("worse");
        NoGrad _ = NoGrad.enter()) {
      Tensor logits = network.logits(adversarial);
      Tensor higherLoss =
          Losses.crossEntropyPerSample(logits, labels)
              .gt(Losses.crossEntropyPerSample(network.logits(before), labels));
      Tensor replace = logits.argmax(1).ne(labels).logicalOr(higherLoss);
      return scope.keep(replace.view(-1, 1, 1, 1).where(adversarial, before));
    }
  }
}
