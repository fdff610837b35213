package bridge.attack;

import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Signs that an attack's number should not be believed, with the thresholds of AutoAttack's own
 * checks (fra31/auto-attack, checks.py and flags_doc.md). Every warning is one line that says what
 * was seen, why it matters and what to do.
 *
 * <p>The public code finds networks that change themselves by watching Python calls for gradients;
 * here it is seen in their logits and in their weights, which also shows batch statistics.
 */
public final class Checks {
  /** How far apart logits scaled to length 1 may be. */
  private static final double SAME = 1e-4;

  /** How near to a probability distribution logits may come. */
  private static final double PROBABILITY = 1e-5;

  /** The share of all images that Square may break after the attacks that see gradients. */
  private static final double SURPRISE = 0.002;

  private static final int REPEATS = 5;

  private Checks() {}

  /**
   * What can be seen before the attack; one batch of images is enough.
   *
   * @param images float [N, C, H, W] in [0, 1], two or more
   * @param labels int64 [N]
   * @return the warnings; none for a network like most
   */
  public static List<String> before(
      AutoAttack attack, Network network, Tensor images, Tensor labels) {
    List<String> warnings = new ArrayList<>();
    classes(attack, network).ifPresent(warnings::add);
    try (Scope _ = Scope.open("checks");
        Mode _ = Mode.eval(network)) {
      boolean random = random(network, images, labels);
      if (random && attack.version() != AutoAttack.Version.RAND) {
        warnings.add(
            "%s gives other logits for the same images each time: attacks meet another network than the one they are judged by; use autoattack-rand, or switch its randomness off"
                .formatted(network.name()));
      }
      if (probabilities(network, images)) {
        warnings.add(
            "%s gives probabilities, not logits: where they round to 0 and 1 gradients vanish and it looks more robust than it is; take the softmax out"
                .formatted(network.name()));
      }
      if (!random) {
        dynamic(network, images, warnings);
      }
    }
    return warnings;
  }

  private static Optional<String> classes(AutoAttack attack, Network network) {
    int classes = network.classes();
    for (Attack component : attack.components()) {
      if (classes < component.leastClasses()) {
        return Optional.of(
            "%s has %d classes and %s compares the %d largest logits: it will be refused; run %s instead"
                .formatted(
                    network.name(),
                    classes,
                    component.name(),
                    component.leastClasses(),
                    Apgd.FOR_FEW_CLASSES));
      }
    }
    if (attack.version() != AutoAttack.Version.RAND && classes <= Apgd.TARGETS) {
      return Optional.of(
          "%s has %d classes, so targeted attacks can only go towards the %d others, all there are, where AutoAttack has %d at most: nothing is wrong, but say so beside the number"
              .formatted(network.name(), classes, classes - 1, Apgd.TARGETS));
    }
    return Optional.empty();
  }

  private static Tensor logits(Network network, Tensor images) {
    try (NoGrad _ = NoGrad.enter()) {
      return network.logits(images);
    }
  }

  private static boolean differ(Tensor one, Tensor other) {
    return unit(one).sub(unit(other)).norm2Keep(1).max().item() > SAME;
  }

  private static Tensor unit(Tensor logits) {
    return logits.div(logits.norm2Keep(1).add(1e-10));
  }

  private static boolean random(Network network, Tensor images, Tensor labels) {
    Tensor first = logits(network, images);
    long right = right(first, labels);
    for (int i = 1; i < REPEATS; i++) {
      Tensor repeated = logits(network, images);
      if (right(repeated, labels) != right || differ(first, repeated)) {
        return true;
      }
    }
    return false;
  }

  private static long right(Tensor logits, Tensor labels) {
    return logits.argmax(1).eq(labels).sum().itemLong();
  }

  private static boolean probabilities(Network network, Tensor images) {
    Tensor logits = logits(network, images);
    return logits.max().item() < 1 + PROBABILITY
        && logits.min().item() > -PROBABILITY
        && logits.sum(1).sub(1).abs().max().item() < PROBABILITY;
  }

  private static void dynamic(Network network, Tensor images, List<String> warnings) {
    List<Double> before = state(network);
    Tensor plain = logits(network, images);
    if (!state(network).equals(before)) {
      warnings.add(
          "%s changes its own weights or statistics in a forward pass: later images meet another network; fix them before the evaluation"
              .formatted(network.name()));
    }
    Tensor recorded = network.logits(images.detach().requiresGrad_(true));
    if (!recorded.requiresGrad()) {
      warnings.add(
          "no gradient leads from the logits of %s to the images: only square can attack it; export the network without cutting the graph"
              .formatted(network.name()));
    } else if (differ(plain, recorded.detach())) {
      warnings.add(
          "%s answers differently while gradients are recorded: attacks climb another network than the one that is judged, and standard attacks are not enough"
              .formatted(network.name()));
    }
    Tensor halfBatch = logits(network, images.narrow(0, 0, (images.size(0) + 1) / 2));
    if (differ(plain.narrow(0, 0, halfBatch.size(0)), halfBatch)) {
      warnings.add(
          "the logits of %s for an image depend on the other images of the batch (batch statistics?): the number holds for this batch size and order only; put it into evaluation mode before exporting"
              .formatted(network.name()));
    }
  }

  /** The sum of every tensor: as good as a checksum for what a forward pass may move. */
  private static List<Double> state(Network network) {
    try (NoGrad _ = NoGrad.enter()) {
      return network.stateDict().values().stream().map(t -> t.sum().item()).toList();
    }
  }

  /**
   * @param images how many images had no gradient: {@link Perturbed#zeroGradients}, summed over
   *     batches
   */
  public static Optional<String> zeroGradients(int images) {
    return images == 0
        ? Optional.empty()
        : Optional.of(
            "%d images have a gradient of 0 where APGD starts: attacks by gradients cannot move them, so they may look more robust than they are; look at square's share, or attack by other means"
                .formatted(images));
  }

  /**
   * @param before share of all images, from 0 to 1, right after the attacks that came before Square
   * @param after the same after Square as well
   */
  public static Optional<String> square(double before, double after) {
    return after >= before - SURPRISE
        ? Optional.empty()
        : Optional.of(
            String.format(
                Locale.ROOT,
                "Square, which sees no gradients, took %.1f %% of all images from what gradients"
                    + " had left: the network may hide its gradients, and stronger attacks find"
                    + " more; try more queries or an attack made for it",
                100 * (before - after)));
  }
}
