package bridge.train;

import bridge.UsageException;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.RandomImages;
import bridge.data.Split;
import java.util.function.Function;

/** A recipe's images, or random ones of their shape where they are not at hand. */
final class BenchmarkImages implements Function<Split, ImageSet> {
  /** So many batches of random images are trained on, again and again. */
  private static final int BATCHES = 20;

  private static final int TEST_IMAGES = 1000;

  private final Recipe recipe;
  private boolean random;

  BenchmarkImages(Recipe recipe) {
    this.recipe = recipe;
  }

  @Override
  public ImageSet apply(Split split) {
    if (!random) {
      try {
        return DataSpec.parse(recipe.data).load(split);
      } catch (UsageException e) {
        random = true; // not there; a damaged file is another exception
      }
    }
    int train = recipe.select.validation() + BATCHES * recipe.batch;
    return RandomImages.like(recipe.data, split == Split.TRAIN ? train : TEST_IMAGES, recipe.seed);
  }

  /** Whether random images were handed out. */
  boolean areRandom() {
    return random;
  }
}
