package bridge.attack;

import bridge.gradient.Objective;
import bridge.model.Network;
import bridge.model.NetworkDecorator;
import bridge.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Objectives that are any function of the images. */
public final class ImageObjectives {
  private ImageObjectives() {}

  /**
   * @param network any; it is not asked
   * @param value a scalar of the images
   */
  public static Objective of(Network network, UnaryOperator<Tensor> value) {
    Network identity =
        new NetworkDecorator(network) {
          @Override
          public Outputs forward(Tensor images, List<String> features) {
            return new Outputs(images, Map.of());
          }
        };
    return Objective.Form.of(identity, (images, _) -> value.apply(images.get(0))).with();
  }
}
