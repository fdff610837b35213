package bridge.attack;

import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * AutoAttack (Croce and Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble
 * of diverse parameter-free attacks"; fra31/auto-attack, autoattack.py): attacks without parameters
 * to tune, one after the other, each on the images that the network still gets right. An image
 * counts as robust if it survives all of them.
 *
 * <p>{@link Checks} says when its number should not be believed.
 */
public record AutoAttack(Version version, Ball ball) implements Attack {

  /** Which attacks there are. */
  public enum Version {
    /**
     * APGD-CE, APGD-T, FAB-T and Square: the number that RobustBench lists. For L1 APGD-CE has five
     * restarts, APGD-T five target classes, and both are {@link Apgd#widened}.
     */
    STANDARD("autoattack"),
    /**
     * Also APGD-DLR and untargeted FAB; these two and APGD-CE with five restarts. The public code
     * says that it is not meant for L1 but runs it, without what standard changes there.
     */
    PLUS("autoattack-plus"),
    /** For networks that are random themselves: APGD-CE and APGD-DLR, gradients of 20 draws. */
    RAND("autoattack-rand");

    private final String text;

    Version(String text) {
      this.text = text;
    }
  }

  private static final int RESTARTS = 5;
  private static final int DRAWS = 20;

  /** Images that the components meet, one component after the other. */
  public interface Target {
    /** What share of all images is right after the components so far, from 0 to 1. */
    double accuracy();

    /**
     * Attacks the images that are still right.
     *
     * @return for how many of them it found no gradient: {@link Perturbed#zeroGradients}
     */
    int attack(Attack component);
  }

  @Override
  public String name() {
    return version.text;
  }

  /** The attacks in their order, each an attack of its own. */
  public List<Attack> components() {
    Apgd crossEntropy = Apgd.crossEntropy(ball);
    Apgd dlr = Apgd.dlr(ball);
    return switch (version) {
      case STANDARD ->
          List.of(
              ball.norm() == Norm.L1 ? crossEntropy.withStarts(RESTARTS) : crossEntropy,
              Apgd.targeted(ball),
              Fab.targeted(ball),
              Square.of(ball));
      case PLUS ->
          List.of(
              crossEntropy.plain().withStarts(RESTARTS),
              dlr.plain().withStarts(RESTARTS),
              new Fab("fab", ball, false, Fab.STEPS, RESTARTS),
              Square.of(ball),
              Apgd.targeted(ball).plain(),
              Fab.targeted(ball));
      case RAND -> List.of(crossEntropy.plain().withDraws(DRAWS), dlr.plain().withDraws(DRAWS));
    };
  }

  @Override
  public boolean randomStart() {
    return true;
  }

  @Override
  public boolean targeted() {
    return components().stream().anyMatch(Attack::targeted);
  }

  /** None: its components have the restarts of its definition. */
  @Override
  public Optional<Attack> withRestarts(int times) {
    return Optional.empty();
  }

  @Override
  public int leastClasses() {
    return components().stream().mapToInt(Attack::leastClasses).max().orElseThrow();
  }

  /** The images are adversarial where any component found it, else the given ones. */
  @Override
  public Perturbed perturb(Network network, Tensor images, Tensor labels, Generator noise) {
    return perturb(components(), network, images, labels, noise);
  }

  /** With components of one's own. */
  static Perturbed perturb(
      List<Attack> components, Network network, Tensor images, Tensor labels, Generator noise) {
    try (Scope attack = Scope.open("autoattack");
        Mode _ = Mode.eval(network)) {
      OneBatch batch = new OneBatch(network, images, labels, noise);
      run(components, batch, warning -> {});
      return new Perturbed(attack.keep(batch.survivors.found()), batch.zeroGradients);
    }
  }

  /**
   * One component after the other, each on what is still right.
   *
   * @param warnings told, a line each, why the number may be wrong; see {@link Checks}
   */
  public void run(Target target, Consumer<String> warnings) {
    run(components(), target, warnings);
  }

  static void run(List<Attack> components, Target target, Consumer<String> warnings) {
    int zeroGradients = 0;
    for (Attack component : components) {
      double before = target.accuracy();
      zeroGradients += target.attack(component);
      if (component instanceof Square) {
        Checks.square(before, target.accuracy()).ifPresent(warnings);
      }
    }
    Checks.zeroGradients(zeroGradients).ifPresent(warnings);
  }

  /** A batch; the network is in evaluation mode. Belongs to the scope it was made in. */
  static final class OneBatch implements Target {
    private final Network network;
    private final Generator noise;
    private final long images;
    final Survivors survivors;
    private int zeroGradients;

    OneBatch(Network network, Tensor images, Tensor labels, Generator noise) {
      this.network = network;
      this.noise = noise;
      this.images = images.size(0);
      this.survivors = new Survivors(network, images, labels);
    }

    @Override
    public double accuracy() {
      return images == 0 ? 0 : (double) survivors.index().size(0) / images;
    }

    @Override
    public int attack(Attack component) {
      if (survivors.none()) {
        return 0;
      }
      try (Scope _ = Scope.open("component")) {
        Tensor labels = survivors.labels();
        Perturbed perturbed = component.perturb(network, survivors.images(), labels, noise);
        Tensor adversarial = perturbed.images();
        try (NoGrad _ = NoGrad.enter()) {
          survivors.update(network.logits(adversarial).argmax(1).ne(labels), adversarial);
        }
        zeroGradients = Math.max(zeroGradients, perturbed.zeroGradients());
        return perturbed.zeroGradients();
      }
    }
  }
}
