package bridge.model;

import bridge.UsageException;
import bridge.torch.Tensor;
import java.util.Arrays;

/** What a tapped submodule gave, as a vector or as a map per image. */
public final class Features {
  private Features() {}

  /**
   * Float [N, d] from a map [N, d, H, W] (the mean over its positions), from tokens [N, T, d] (the
   * mean over them) or from a vector [N, d] (as it is).
   */
  public static Tensor vector(Tensor tapped) {
    return switch (tapped.dim()) {
      case 2 -> tapped;
      case 3 -> tapped.mean(1);
      case 4 -> tapped.mean(2, 3);
      default ->
          throw new UsageException(
              "a feature must be [N, d], [N, T, d] or [N, d, H, W], found "
                  + Arrays.toString(tapped.sizes()));
    };
  }

  /** As a map [N, d, H, W]: what is none is one of a single position. */
  public static Tensor map(Tensor tapped) {
    return tapped.dim() == 4 ? tapped : vector(tapped).unsqueeze(2).unsqueeze(3);
  }
}
