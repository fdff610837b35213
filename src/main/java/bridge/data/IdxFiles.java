package bridge.data;

import bridge.UsageException;
import bridge.torch.Memory;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/**
 * MNIST's format: big-endian numbers (magic, count, rows, columns), then bytes; images and labels
 * in a file each, gzipped or not. The place is the folder, torchvision's folder around it, or what
 * the files' names begin with.
 */
final class IdxFiles implements DataSource {
  private static final int IMAGES_MAGIC = 0x803;
  private static final int LABELS_MAGIC = 0x801;
  private static final int MOST_IMAGES = 10_000_000;
  private static final int LONGEST_SIDE = 1024;

  /** Deflate cannot pack tighter than this. */
  private static final long MOST_INFLATION = 1040;

  private static final List<String> DIGITS =
      List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");
  private static final List<String> CLOTHES =
      List.of(
          "T-shirt/top",
          "Trouser",
          "Pullover",
          "Dress",
          "Coat",
          "Sandal",
          "Shirt",
          "Sneaker",
          "Bag",
          "Ankle boot");

  /** MD5 of the files without gzip: the wrapping differs from one distributor to the next. */
  private static final Map<String, String> MNIST_MD5 =
      Map.of(
          "train-images", "6bbc9ace898e44ae57da46a324031adb",
          "train-labels", "a25bea736e30d166cdddb491f175f624",
          "t10k-images", "2646ac647ad5339dbf082846283269ea",
          "t10k-labels", "27ae3e4e09519cfbb04c329615203637");

  private static final Map<String, String> FASHION_MD5 =
      Map.of(
          "train-images", "f4a8712d7a061bf5bd6d2ca38dc4d50a",
          "train-labels", "9018921c3c673c538a1fc5bad174d6f9",
          "t10k-images", "8181f5470baa50b63fa0f6fddb340f0a",
          "t10k-labels", "15d484375f8d13e6eb1aabb0c3f46965");

  private final String name;
  private final Path place;
  private final List<String> classNames;
  private final Map<String, String> md5;

  private IdxFiles(String name, Path place, List<String> classNames, Map<String, String> md5) {
    this.name = name;
    this.place = place;
    this.classNames = classNames;
    this.md5 = md5;
  }

  static IdxFiles mnist(Path place) {
    return new IdxFiles("mnist", place, DIGITS, MNIST_MD5);
  }

  static IdxFiles fashionMnist(Path place) {
    return new IdxFiles("fashion-mnist", place, CLOTHES, FASHION_MD5);
  }

  /** The 5,000 training and 1,000 test images that the program carries. */
  static IdxFiles embedded() {
    return new IdxFiles("fashion-mnist-mini", null, CLOTHES, Map.of());
  }

  /**
   * A file or resource.
   *
   * @param bytes its length as it lies there
   */
  private record IdxFile(String place, long bytes, PublishedFile.Opener opener) {

    /** Its content without gzip, which the first bytes tell, not the name. */
    InputStream open() throws IOException {
      InputStream in = new BufferedInputStream(opener.open(), 1 << 16);
      try {
        in.mark(2);
        boolean gzip = in.read() == 0x1f && in.read() == 0x8b;
        in.reset();
        return gzip ? new GZIPInputStream(in, 1 << 16) : in;
      } catch (IOException e) {
        in.close();
        throw e;
      }
    }
  }

  @Override
  public ImageSet read(Split split) {
    String stem = split == Split.TRAIN ? "train" : "t10k";
    IdxFile images = find(stem + "-images");
    IdxFile labels = find(stem + "-labels");
    int[] classes = readLabels(labels);
    return readImages(images, labels, classes, name + " " + split);
  }

  @Override
  public List<PublishedFile> files() {
    List<PublishedFile> files = new ArrayList<>();
    for (String stem : List.of("train-images", "train-labels", "t10k-images", "t10k-labels")) {
      IdxFile file = find(stem);
      files.add(new PublishedFile(file.place(), file::open, md5.get(stem)));
    }
    return files;
  }

  // ---- finding -------------------------------------------------------------------------------

  private IdxFile find(String stem) {
    String file = stem + (stem.endsWith("images") ? "-idx3-ubyte" : "-idx1-ubyte");
    if (place == null) {
      return embedded(file + ".gz");
    }
    for (String before : beginnings()) {
      for (String candidate : List.of(file, file + ".gz", file.replace("-idx", ".idx"))) {
        Path found = Path.of(before + candidate);
        if (Files.isRegularFile(found)) {
          return new IdxFile(found.toString(), length(found), () -> Files.newInputStream(found));
        }
      }
    }
    throw new UsageException(
        "no %s in %s: there is no %s or %s.gz".formatted(name, place, file, file));
  }

  /** What may stand before {@code train-images-idx3-ubyte}. */
  private List<String> beginnings() {
    return Files.isDirectory(place)
        ? List.of(place + "/", place + "/raw/", place + "/MNIST/raw/", place + "/FashionMNIST/raw/")
        : List.of(place.toString(), place + "-");
  }

  private static long length(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw DataException.unreadable(file, e);
    }
  }

  private static IdxFile embedded(String file) {
    URL url = IdxFiles.class.getResource("fashion-mnist-mini/" + file);
    if (url == null) {
      throw new IllegalStateException("the program was built without its resource " + file);
    }
    return new IdxFile(file, Integer.MAX_VALUE, url::openStream);
  }

  // ---- reading -------------------------------------------------------------------------------

  private int[] readLabels(IdxFile file) {
    try (DataInputStream in = new DataInputStream(file.open())) {
      magic(file, in, LABELS_MAGIC);
      int count = size(file, "labels", in.readInt(), MOST_IMAGES);
      try (Memory bytes = block(file, in, 8, count)) {
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
          labels[i] = bytes.getUByte(i);
          if (labels[i] >= classNames.size()) {
            throw new DataException(
                file.place(),
                "has label %d at byte %d, expected 0 to %d"
                    .formatted(labels[i], 8 + i, classNames.size() - 1));
          }
        }
        return labels;
      }
    } catch (EOFException e) {
      throw cutOff(file, e);
    } catch (IOException e) {
      throw DataException.unreadable(file.place(), e);
    }
  }

  private ImageSet readImages(IdxFile file, IdxFile labelFile, int[] labels, String setName) {
    try (DataInputStream in = new DataInputStream(file.open())) {
      magic(file, in, IMAGES_MAGIC);
      int count = size(file, "images", in.readInt(), MOST_IMAGES);
      int height = size(file, "rows", in.readInt(), LONGEST_SIDE);
      int width = size(file, "columns", in.readInt(), LONGEST_SIDE);
      if (count != labels.length) {
        throw new DataException(
            file.place(),
            "has %d images, %s has %d labels".formatted(count, labelFile.place(), labels.length));
      }
      Memory pixels = block(file, in, 16, (long) count * height * width);
      return new ImageSet(setName, 1, height, width, classNames, pixels, labels);
    } catch (EOFException e) {
      throw cutOff(file, e);
    } catch (IOException e) {
      throw DataException.unreadable(file.place(), e);
    }
  }

  private static void magic(IdxFile file, DataInputStream in, int expected) throws IOException {
    int found = in.readInt();
    if (found != expected) {
      throw new DataException(
          file.place(),
          "is no IDX file of %s: it begins with 0x%08x, expected 0x%08x"
              .formatted(expected == IMAGES_MAGIC ? "images" : "labels", found, expected));
    }
  }

  private static int size(IdxFile file, String what, int found, int most) {
    if (found < 1 || found > most) {
      throw new DataException(
          file.place(),
          "says it has %d %s, expected 1 to %d"
              .formatted(Integer.toUnsignedLong(found), what, most));
    }
    return found;
  }

  /** The rest of the file, which must be {@code bytes} long. */
  private static Memory block(IdxFile file, InputStream in, int header, long bytes)
      throws IOException {
    if (bytes > file.bytes() * MOST_INFLATION) {
      throw new DataException(
          file.place(),
          "says it holds %d bytes, which its %d cannot".formatted(bytes, file.bytes()));
    }
    Memory memory = Memory.allocate(bytes);
    try {
      long got = Streams.fill(in, memory, 0, bytes);
      if (got < bytes) {
        throw new DataException(
            file.place(),
            "is cut off at byte %d of %d; fetch it again".formatted(header + got, header + bytes));
      }
      if (in.read() >= 0) {
        throw new DataException(
            file.place(), "goes on after byte %d, where it should end".formatted(header + bytes));
      }
      return memory;
    } catch (IOException | RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  private static DataException cutOff(IdxFile file, EOFException cause) {
    return new DataException(file.place(), "is cut off; fetch it again", cause);
  }
}
