package bridge.attack;

/** How a perturbation is measured: largest change of a pixel, or Euclidean length. */
public enum Norm {
  LINF,
  L2
}
