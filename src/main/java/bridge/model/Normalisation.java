package bridge.model;

import bridge.UsageException;
import bridge.torch.Device;
import bridge.torch.Tensor;
import java.util.List;

/**
 * (x − mean) / std per channel, applied to images in [0, 1] before a network.
 *
 * @param mean one per channel, or one for all; empty for no normalisation
 * @param std as many, greater than 0
 */
public record Normalisation(List<Double> mean, List<Double> std) {
  public static final Normalisation NONE = new Normalisation(List.of(), List.of());

  public Normalisation {
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    if (mean.size() != std.size()) {
      throw new UsageException(
          "normalisation must have as many std as mean, found mean %s and std %s"
              .formatted(mean, std));
    }
    if (std.stream().anyMatch(s -> !(s > 0))) {
      throw new UsageException("normalisation std must be above 0, found " + std);
    }
  }

  public boolean isNone() {
    return mean.isEmpty();
  }

  /** The two constants as tensors for a device. */
  Constants on(Device device, int channels) {
    if (!isNone() && mean.size() != 1 && mean.size() != channels) {
      throw new UsageException(
          "normalisation must have 1 or %d means, found %d".formatted(channels, mean.size()));
    }
    return isNone()
        ? new Constants(null, null, "")
        : new Constants(
            row(mean, device),
            row(std, device),
            "normalised by mean %s and std %s".formatted(mean, std));
  }

  private static Tensor row(List<Double> values, Device device) {
    float[] row = new float[values.size()];
    for (int i = 0; i < row.length; i++) {
      row[i] = values.get(i).floatValue();
    }
    return Tensor.of(row, 1, row.length, 1, 1).to(device);
  }

  /** Mean and std [1, C or 1, 1, 1], both null for none; and the same in words. */
  record Constants(Tensor mean, Tensor std, String text) {

    Tensor apply(Tensor images) {
      return mean == null ? images : images.sub(mean).div(std);
    }

    List<Tensor> tensors() {
      return mean == null ? List.of() : List.of(mean, std);
    }
  }
}
