package bridge.data;

import bridge.UsageException;
import bridge.data.DataSpec.Kind;
import bridge.torch.Memory;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Random pixels and labels in the shape of a data set that is not at hand; for benchmarks. */
public final class RandomImages {
  private record Shape(int channels, int size, int classes) {}

  private RandomImages() {}

  /**
   * Images as the data set of this kind has them.
   *
   * @param data as a recipe names it; nothing need be there
   * @throws UsageException if there is no such kind, or the kind does not fix a shape
   */
  public static ImageSet like(String data, int count, long seed) {
    Kind kind = DataSpec.kindOf(data);
    Shape shape = shape(kind, data);
    int bytes = shape.channels * shape.size * shape.size;
    SplittableRandom random = new SplittableRandom(seed);
    Memory pixels = Memory.allocate((long) count * bytes);
    byte[] image = new byte[bytes];
    for (int i = 0; i < count; i++) {
      random.nextBytes(image);
      pixels.copyFrom(image, 0, (long) i * bytes, bytes);
    }
    List<String> names = IntStream.range(0, shape.classes).mapToObj(String::valueOf).toList();
    int[] labels = IntStream.range(0, count).map(_ -> random.nextInt(shape.classes)).toArray();
    return new ImageSet(
        "random images like " + kind,
        shape.channels,
        shape.size,
        shape.size,
        names,
        pixels,
        labels);
  }

  private static Shape shape(Kind kind, String data) {
    return switch (kind) {
      case CIFAR10 -> new Shape(3, 32, 10);
      case CIFAR100 -> new Shape(3, 32, 100);
      case TINY_IMAGENET -> new Shape(3, 64, 200);
      case MNIST, FASHION_MNIST, FASHION_MNIST_MINI -> new Shape(1, 28, 10);
      case IMAGE_FOLDER ->
          throw new UsageException(
              ("data %s is not there, and a folder of images has no shape of its own to draw"
                      + " random ones in; name one that is there, or cifar10:none")
                  .formatted(data));
    };
  }
}
