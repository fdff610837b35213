package bridge.method;

import bridge.Options;

/** Whose word counts where a paper and the code its authors released differ. */
enum Reference {
  /** The code: its formula, and every pass of the student it makes, in its order. */
  CODE,
  /** The paper's formula, with no pass of the student that the formula does not need. */
  PAPER;

  static Reference from(Options options) {
    return options.choice("reference", CODE);
  }
}
