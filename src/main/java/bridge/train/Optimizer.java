package bridge.train;

import bridge.Options;
import bridge.torch.Tensor;
import java.util.Map;

/**
 * Changes parameters along their gradients. Its state lives in the scope it was made in and is part
 * of a run's saved state.
 */
interface Optimizer {
  /** One update from the parameters' gradients, which are cleared. Call without recording. */
  void step(double learningRate);

  /** State tensors by name. */
  Map<String, Tensor> state();

  /** The learning rate that schedules start from. */
  double baseLearningRate();

  /** Which optimiser. */
  enum Kind {
    SGD,
    ADAMW
  }

  /** Reads {@code optimizer} of a recipe, for these parameters. */
  static Settings from(Options options) {
    Kind kind = options.choice("name", Kind.SGD);
    Settings settings =
        switch (kind) {
          case SGD -> Sgd.Settings.from(options);
          case ADAMW -> AdamW.Settings.from(options);
        };
    options.done();
    return settings;
  }

  /** An optimiser as a recipe describes it, before there are parameters. */
  interface Settings {
    Optimizer over(Map<String, Tensor> parameters);
  }
}
