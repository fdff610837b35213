package bridge.architecture;

/** A whole network: images [N, C, H, W] in, logits [N, K] out. */
public abstract class Architecture extends Module {
  static final String POOL = "avgpool";

  /** What the network itself does to the images first, in words; empty for nothing. */
  public String normalisation() {
    return "";
  }

  /** The path of the module whose output is the feature before the last linear layer. */
  public String penultimate() {
    return POOL;
  }
}
