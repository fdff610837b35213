package bridge.attack;

import bridge.model.Network;
import bridge.torch.Generator;
import bridge.torch.Tensor;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;

/** A batch under AutoAttack, that remembers which images are right after each component. */
final class Stages implements AutoAttack.Target {
  private final AutoAttack.OneBatch batch;
  private final Map<String, BitSet> right = new LinkedHashMap<>();

  Stages(Network network, Tensor images, Tensor labels, Generator noise) {
    batch = new AutoAttack.OneBatch(network, images, labels, noise);
  }

  @Override
  public double accuracy() {
    return batch.accuracy();
  }

  @Override
  public int attack(Attack component) {
    int zeroGradients = batch.attack(component);
    right.put(component.name(), rightNow());
    return zeroGradients;
  }

  /** The images that are right by now. */
  BitSet rightNow() {
    BitSet now = new BitSet();
    for (long image : batch.survivors.index().toLongs()) {
      now.set((int) image);
    }
    return now;
  }

  /** By component, in their order. */
  Map<String, BitSet> right() {
    return right;
  }

  Tensor images() {
    return batch.survivors.found();
  }
}
