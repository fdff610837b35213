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

  /**
   * An attack with so many restarts, where it has any use for them: empty for one without a random
   * start. AutoAttack's components do theirs themselves.
   */
  public static Optional<Attack> of(Attack attack, int times) {
    return Optional.ofNullable(
        switch (attack) {
          case Restarts a -> new Restarts(a.attack(), times);
          case Pgd a when a.start() != Start.NONE -> new Restarts(a, times);
          case CwInfinity a when a.variant() != CwInfinity.Variant.CIARD -> new Restarts(a, times);
          case Apgd a -> a.withRestarts(times);
          case Fab a -> a.withRestarts(times);
          case Square a -> new Square(a.name(), a.ball(), a.queries(), times, a.rescaled());
          case null, default -> null;
        });
  }

  @Override
  public String name() {
    return "%s-r%d".formatted(attack.name(), times);
  }

  @Override
  public Tensor perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope all = Scope.open("restarts");
        Mode _ = Mode.eval(network)) {
      Tensor worst = attack.perturb(network, images, labels, noise);
      for (int i = 1; i < times; i++) {
        Tensor rows = right(network, worst, labels);
        if (rows.size(0) == 0) {
          break;
        }
        Tensor some = labels.indexSelect(0, rows);
        Tensor before = worst.indexSelect(0, rows);
        Tensor now = attack.perturb(network, images.indexSelect(0, rows), some, noise);
        worst = worst.copy().indexCopy_(0, rows, worse(network, some, before, now));
      }
      return all.keep(worst);
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
  private static Tensor worse(Network network, Tensor labels, Tensor before, Tensor now) {
    try (Scope scope = Scope.open("worse");
        NoGrad _ = NoGrad.enter()) {
      Tensor logits = network.logits(now);
      Tensor more =
          Losses.crossEntropyPerSample(logits, labels)
              .gt(Losses.crossEntropyPerSample(network.logits(before), labels));
      Tensor take = logits.argmax(1).ne(labels).logicalOr(more);
      return scope.keep(take.view(-1, 1, 1, 1).where(now, before));
    }
  }
}
