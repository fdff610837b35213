package bridge.data;

import bridge.torch.Memory;
import java.util.List;

/**
 * Labelled images of one size: pixels as bytes outside the Java heap, where batches are made of
 * them ({@link Batches}). Subsets are arrays of indices. May be read by any thread.
 */
public final class ImageSet implements AutoCloseable {
  private final String name;
  private final int channels;
  private final int height;
  private final int width;
  private final List<String> classNames;
  private final Memory pixels;
  private final int[] labels;

  /**
   * Images that are in memory already.
   *
   * @param pixels uint8 [N, C, H, W], contiguous; the set closes it
   * @param labels N class indices
   */
  public ImageSet(
      String name,
      int channels,
      int height,
      int width,
      List<String> classNames,
      Memory pixels,
      int[] labels) {
    if (pixels.size() < (long) labels.length * channels * height * width) {
      throw new IllegalArgumentException(
          "%d bytes are too few for [%d, %d, %d, %d]"
              .formatted(pixels.size(), labels.length, channels, height, width));
    }
    this.name = name;
    this.channels = channels;
    this.height = height;
    this.width = width;
    this.classNames = List.copyOf(classNames);
    this.pixels = pixels;
    this.labels = labels.clone();
  }

  /** The data set and the split, for messages. */
  public String name() {
    return name;
  }

  /** The number of images. */
  public int size() {
    return labels.length;
  }

  public int channels() {
    return channels;
  }

  public int height() {
    return height;
  }

  public int width() {
    return width;
  }

  public int classes() {
    return classNames.size();
  }

  /** One name for each class, by index; WordNet ids for Tiny-ImageNet. */
  public List<String> classNames() {
    return classNames;
  }

  /** uint8 [N, C, H, W], contiguous; read only. */
  public Memory pixels() {
    return pixels;
  }

  /** The class index of image {@code i}. */
  public int label(int i) {
    return labels[i];
  }

  /** Bytes of one image, which is also the distance from one image to the next. */
  public long imageBytes() {
    return (long) channels * height * width;
  }

  /** Frees the pixels; batches of this set must be closed before. */
  @Override
  public void close() {
    pixels.close();
  }

  @Override
  public String toString() {
    return "%s [%d, %d, %d, %d]".formatted(name, size(), channels, height, width);
  }
}
