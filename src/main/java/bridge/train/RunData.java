package bridge.train;

import bridge.UsageException;
import bridge.data.Batches;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.data.Splits;
import bridge.torch.Device;
import bridge.torch.Seeds;
import java.util.Arrays;
import java.util.function.Function;
import java.util.stream.IntStream;

/** The images of a run: those it trains on, those held out of them, and the test images. */
final class RunData implements AutoCloseable {
  private final Recipe recipe;
  private final Seeds seeds;
  private final Device device;
  private final ImageSet train;
  private final ImageSet test;
  private final Splits split;

  /**
   * @param images of a split
   * @throws UsageException if the data is missing, not square or too small, or training and test
   *     images differ in size
   */
  RunData(Recipe recipe, Function<Split, ImageSet> images, Seeds seeds, Device device) {
    this.recipe = recipe;
    this.seeds = seeds;
    this.device = device;
    train = images.apply(Split.TRAIN);
    ImageSet loaded = null;
    try {
      checkTraining();
      test = loaded = images.apply(Split.TEST); // now: a missing file would end a run of days
      checkSameSize();
      split = Splits.of(train, recipe.select.validation(), seeds);
    } catch (RuntimeException e) {
      train.close();
      if (loaded != null) {
        loaded.close();
      }
      throw e;
    }
  }

  private void checkTraining() {
    if (recipe.select.validation() >= train.size()) {
      throw new UsageException(
          "select.validation must be less than the %d training images, found %d"
              .formatted(train.size(), recipe.select.validation()));
    }
    if (train.height() != train.width()) {
      throw new UsageException(
          "images must be square, found %d×%d in %s"
              .formatted(train.height(), train.width(), recipe.data));
    }
  }

  private void checkSameSize() {
    if (test.height() != train.height() || test.width() != train.width()) {
      throw new UsageException(
          "the test images are %d×%d, the training images %d×%d; make them one size"
              .formatted(test.height(), test.width(), train.height(), train.width()));
    }
  }

  int channels() {
    return train.channels();
  }

  int classes() {
    return train.classes();
  }

  /** Height and width of an image, in pixels. */
  int imageSize() {
    return train.height();
  }

  /** Channels, height and width. */
  long[] shape() {
    return new long[] {train.channels(), train.height(), train.width()};
  }

  /** Every training image's label by its index; -1 for those held out. */
  int[] trainingLabels() {
    int[] labels = new int[train.size()];
    Arrays.fill(labels, -1);
    for (int image : split.training()) {
      labels[image] = train.label(image);
    }
    return labels;
  }

  /** The training images without those held out: shuffled and augmented. */
  Batches training() {
    return Batches.over(train, split.training())
        .batchSize(recipe.batch)
        .augment(recipe.augment)
        .shuffle(true)
        .seeds(seeds)
        .device(device)
        .build();
  }

  /** So many training images, at most, unaugmented; spread over a set that may lie by class. */
  Batches sample(int images) {
    int n = Math.min(images, train.size());
    return plain(
        train, IntStream.range(0, n).map(i -> (int) ((long) i * train.size() / n)).toArray());
  }

  boolean hasValidation() {
    return split.validation().length > 0;
  }

  /** The held-out images, unaugmented, in order. */
  Batches validation() {
    return plain(train, split.validation());
  }

  /** The first test images, unaugmented, in order. */
  Batches test() {
    int limit = recipe.evaluate.limit() == 0 ? test.size() : recipe.evaluate.limit();
    return plain(test, IntStream.range(0, Math.min(limit, test.size())).toArray());
  }

  private Batches plain(ImageSet set, int[] indices) {
    return Batches.over(set, indices)
        .batchSize(recipe.evaluate.batch())
        .seeds(seeds)
        .device(device)
        .build();
  }

  @Override
  public void close() {
    train.close();
    test.close();
  }
}
