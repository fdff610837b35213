package bridge.cli;

import bridge.UsageException;
import bridge.attack.Smoothing;
import bridge.evaluate.EvaluationRequest.Certificates;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Whether and how randomised smoothing certifies images. */
final class CertifyOptions {
  /** What Cohen et al. chose. */
  private static final int SELECTION = 100;

  private static final int ESTIMATION = 100_000;
  private static final int EVERY = 20;
  private static final double ALPHA = 0.001;

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

  /**
   * What is asked for; empty if nothing is.
   *
   * @throws UsageException for options that cannot be
   */
  Optional<Certificates> certificates() {
    OptionChecks.positive("--certify-draws", draws);
    OptionChecks.positive("--certify-every", every);
    if (sigma == null && (draws != null || every != null)) {
      throw new UsageException(
          "%s belongs to a certificate; add --certify SIGMA"
              .formatted(draws != null ? "--certify-draws" : "--certify-every"));
    }
    return Optional.ofNullable(sigma).map(this::certificates);
  }

  private Certificates certificates(double deviation) {
    int estimation = draws == null ? ESTIMATION : draws;
    return new Certificates(
        new Smoothing(deviation, SELECTION, estimation, ALPHA, NOISY_IMAGES),
        every == null ? EVERY : every);
  }
}
