package bridge.method.parts;

import bridge.Options;
import bridge.loss.Reduction;

/** Whose word counts where a paper and the code its authors released differ. */
public enum Reference {
  /** The code: its formula, and every pass of the student it makes, in its order. */
  CODE,
  /** The paper's formula, with no pass of the student that the formula does not need. */
  PAPER;

  public static Reference from(Options options) {
    return options.choice("reference", CODE);
  }

  /** The option {@code reduction}: the released code has PyTorch's default, papers the sum. */
  public Reduction reduction(Options options) {
    return Reduction.from(options, this == CODE ? Reduction.MEAN : Reduction.BATCHMEAN);
  }
}
