package bridge.cli;

import bridge.UsageException;
import bridge.attack.Smoothing;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.evaluate.Certification;
import bridge.evaluate.EvaluationState;
import bridge.model.Network;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.util.stream.IntStream;
import picocli.CommandLine.Option;

/** Whether and how randomised smoothing certifies images. */
final class CertifyOptions {
  /** What Cohen et al. chose. */
  private static final int SELECTION = 100;

  private static final int ESTIMATION = 100_000;
  private static final int EVERY = 20;
  private static final double ALPHA = 0.001;

  /** Images whose certificates are kept together. */
  private static final int IMAGES = 10;

  private static final int NOISY_IMAGES = 1000;

  @Option(
      names = "--certify",
      paramLabel = "SIGMA",
      description = "Also certifies in L2 by randomised smoothing with noise of this deviation.")
  private Double sigma;

  @Option(
      names = "--certify-draws",
      paramLabel = "N",
      description = "Noisy copies of each image (" + ESTIMATION + ").")
  private Integer draws;

  @Option(
      names = "--certify-every",
      paramLabel = "N",
      description = "Certifies every Nth image (" + EVERY + ").")
  private Integer every;

  boolean asked() {
    return sigma != null;
  }

  void check() {
    Common.positive("--certify-draws", draws);
    Common.positive("--certify-every", every);
    if (asked()) {
      smoothing();
    } else if (draws != null || every != null) {
      throw new UsageException(
          "%s belongs to a certificate; add --certify SIGMA"
              .formatted(draws != null ? "--certify-draws" : "--certify-every"));
    }
  }

  private Smoothing smoothing() {
    int estimation = draws == null ? ESTIMATION : draws;
    return new Smoothing(sigma, SELECTION, estimation, ALPHA, NOISY_IMAGES);
  }

  /**
   * @param count of the first images
   */
  Certification.Result run(
      Network network,
      ImageSet images,
      int count,
      Seeds seeds,
      Device device,
      EvaluationState state,
      EvaluationLine line) {
    int step = every == null ? EVERY : every;
    int[] chosen = IntStream.range(0, count).filter(i -> i % step == 0).toArray();
    try (Batches batches = Batches.over(images, chosen).batchSize(IMAGES).device(device).build()) {
      return Certification.run(network, smoothing(), batches, seeds, state, line.of(chosen.length));
    }
  }
}
