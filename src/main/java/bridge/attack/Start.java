package bridge.attack;

import bridge.torch.Generator;
import bridge.torch.Tensor;

/** Where an attack begins. Papers and their code differ here, so each form has its name. */
public enum Start {
  /** At the image itself. */
  NONE,
  /** x + U(−ε, ε), clamped to [0, 1]: PGD of RSLAD's, MTARD's and most evaluation scripts. */
  UNIFORM,
  /** x + U(−ε, ε), not clamped before the first step: TRADES's evaluation script. */
  UNIFORM_UNCLAMPED,
  /** x + 0.001 · N(0, 1), not clamped before the first step: training in TRADES, RSLAD, MTARD. */
  GAUSSIAN,
  /** x + 0.001 · N(0, 1), clamped to [0, 1]: "Madry" in AdaAD's code. */
  GAUSSIAN_CLAMPED;

  private static final double GAUSSIAN_FACTOR = 0.001;

  Tensor point(Tensor images, Ball ball, Generator noise) {
    return switch (this) {
      case NONE -> images;
      case UNIFORM -> ball.uniform(images, noise).clamp_(0, 1);
      case UNIFORM_UNCLAMPED -> ball.uniform(images, noise);
      case GAUSSIAN -> gaussian(images, noise);
      case GAUSSIAN_CLAMPED -> gaussian(images, noise).clamp_(0, 1);
    };
  }

  private static Tensor gaussian(Tensor images, Generator noise) {
    return images.emptyLike().normal_(0, 1, noise).mul_(GAUSSIAN_FACTOR).add_(images);
  }
}
