package bridge.data;

import bridge.UsageException;
import bridge.torch.Memory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Image files in folders: listed, decoded once, then mapped from {@link DecodedCache}. */
final class ImageFiles {
  /** Bytes of decoded images in memory at a time, roughly. */
  private static final int CHUNK = 1 << 26;

  private ImageFiles() {}

  /** An image file and its class. */
  record Item(Path file, int label) {}

  /** The names of the folders in a folder, sorted. */
  static List<String> folders(Path folder) throws IOException {
    try (Stream<Path> inside = Files.list(folder)) {
      return inside
          .filter(Files::isDirectory)
          .map(path -> path.getFileName().toString().replaceFirst("/$", ""))
          .filter(name -> !name.startsWith("."))
          .sorted()
          .toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** The PNG and JPEG files in a folder and below it, sorted by path. */
  static List<Path> images(Path folder) throws IOException {
    try (Stream<Path> inside = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
      return inside
          .filter(path -> isImage(path.getFileName()))
          .filter(Files::isRegularFile)
          .sorted((a, b) -> a.toString().compareTo(b.toString()))
          .toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static boolean isImage(Path name) {
    return name != null && name.toString().matches("(?i)[^.].*\\.(png|jpe?g)");
  }

  /**
   * These images as a set, [N, 3, H, W] with the size of the first.
   *
   * @param place the data set's own path, for messages
   * @throws DataException naming the first file that is damaged or of another size
   */
  static ImageSet load(String name, Path place, List<Item> items, List<String> classNames)
      throws IOException {
    if (items.isEmpty()) {
      throw new UsageException("no images in %s for %s".formatted(place, name));
    }
    ImageDecoder.Size size = ImageDecoder.size(items.getFirst().file());
    int imageBytes = 3 * size.height() * size.width();
    DecodedCache cache = DecodedCache.of(name, items, imageBytes);
    Memory found = cache.find();
    Memory pixels = found != null ? found : cache.store(sink -> decode(items, size, sink));
    int[] labels = items.stream().mapToInt(Item::label).toArray();
    return new ImageSet(name, 3, size.height(), size.width(), classNames, pixels, labels);
  }

  /** Decodes everything, in order, on all processors. */
  private static void decode(List<Item> items, ImageDecoder.Size size, DecodedCache.Sink sink)
      throws IOException {
    int imageBytes = 3 * size.height() * size.width();
    int together = Math.max(1, CHUNK / imageBytes);
    try (Memory chunk = Memory.allocate((long) Math.min(together, items.size()) * imageBytes)) {
      for (int from = 0; from < items.size(); from += together) {
        List<Item> batch = items.subList(from, Math.min(from + together, items.size()));
        decode(batch, size, chunk);
        sink.write(chunk, (long) batch.size() * imageBytes);
      }
    }
  }

  private static void decode(List<Item> items, ImageDecoder.Size size, Memory to) {
    long imageBytes = 3L * size.height() * size.width();
    var failures = new ConcurrentSkipListMap<Integer, DataException>();
    IntStream.range(0, items.size())
        .parallel()
        .forEach(
            i -> {
              try {
                ImageDecoder.decode(items.get(i).file(), size, to, i * imageBytes);
              } catch (DataException e) {
                failures.put(i, e);
              }
            });
    if (!failures.isEmpty()) {
      throw failures.firstEntry().getValue();
    }
  }
}
