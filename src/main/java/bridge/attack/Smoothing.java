package bridge.attack;

import bridge.UsageException;
import bridge.model.Mode;
import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Generator;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Randomised smoothing (Cohen et al. 2019, their core.py): what the network says most often of an
 * image under noise of N(0, σ²) per pixel, and a radius in L2 within which that holds, with
 * probability 1 − α.
 *
 * <p>The noise is added to the pixels in [0, 1], before the network's normalisation, and not
 * clamped. The class is chosen from {@code selection} draws; from {@code estimation} further ones
 * comes Clopper and Pearson's lower bound p of its share; the radius is σ Φ⁻¹(p), and below p = 1/2
 * there is none: the classifier abstains.
 *
 * @param sigma σ in units of the pixel range [0, 1]
 * @param selection theirs 100
 * @param estimation theirs 100,000
 * @param alpha theirs 0.001
 * @param batch about how many noisy images the network sees at once; at least one of each image
 */
public record Smoothing(double sigma, int selection, int estimation, double alpha, int batch) {
  /** What is said of an image that has no certificate. */
  public static final int ABSTAINS = -1;

  public Smoothing {
    if (!(sigma > 0 && alpha > 0 && alpha < 1)) {
      throw new UsageException(
          "smoothing needs a deviation above 0 and an alpha between 0 and 1, found %s and %s"
              .formatted(sigma, alpha));
    }
    if (selection < 1 || estimation < 1 || batch < 1) {
      throw new UsageException(
          "smoothing needs 1 draw or more to choose, to estimate and at once, found %d, %d and %d"
              .formatted(selection, estimation, batch));
    }
  }

  /**
   * @param prediction the class, or {@link #ABSTAINS}
   * @param radius in L2, in units of the pixel range; 0 where it abstains
   */
  public record Certificate(int prediction, double radius) {}

  /**
   * @param images [N, C, H, W] in [0, 1]
   * @return one for each image
   */
  public List<Certificate> certify(Network network, Tensor images, Generator noise) {
    try (Scope _ = Scope.open("smoothing");
        NoGrad _ = NoGrad.enter();
        Mode _ = Mode.eval(network)) {
      Tensor first = counts(network, images, selection, noise);
      Tensor best = first.argmax(1);
      Tensor drawn = counts(network, images, estimation, noise).gather(1, best.unsqueeze(1));
      long[] classes = best.toLongs();
      long[] successes = drawn.toLongs();
      List<Certificate> certificates = new ArrayList<>();
      for (int i = 0; i < classes.length; i++) {
        certificates.add(certificate((int) classes[i], (int) successes[i]));
      }
      return certificates;
    }
  }

  private Certificate certificate(int prediction, int successes) {
    double share = Quantiles.lowerBound(successes, estimation, alpha);
    return share < 0.5
        ? new Certificate(ABSTAINS, 0)
        : new Certificate(prediction, sigma * Quantiles.normal(share));
  }

  /** How often each class is said of each image: int64 [N, K]. */
  private Tensor counts(Network network, Tensor images, int draws, Generator noise) {
    long[] s = images.sizes();
    int classes = network.classes();
    int most = (int) Math.max(1, batch / s[0]);
    Tensor counts = Tensor.zeros(DType.INT64, images.device(), s[0], classes);
    for (int done = 0; done < draws; done += most) {
      try (Scope _ = Scope.open("draws")) {
        int now = Math.min(most, draws - done);
        Tensor noisy =
            Tensor.randn(noise, images.device(), s[0], now, s[1], s[2], s[3])
                .mul_(sigma)
                .add_(images.unsqueeze(1))
                .view(s[0] * now, s[1], s[2], s[3]);
        Tensor votes = network.logits(noisy).argmax(1).oneHot(classes);
        counts.add_(votes.view(s[0], now, classes).sum(1));
      }
    }
    return counts;
  }
}
