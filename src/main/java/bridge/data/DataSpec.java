package bridge.data;

import bridge.Options;
import bridge.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A data set as the command line and recipes name it: {@code KIND:PATH}, for instance {@code
 * cifar10:data/cifar-10-python.tar.gz}, or {@code fashion-mnist-mini}, which the program carries.
 *
 * @param path the file or folder, null for the embedded set
 */
public record DataSpec(Kind kind, Path path) {
  private static final Path DEBIAN = Path.of("/usr/share/datasets");

  /** The formats that are read. */
  public enum Kind {
    CIFAR10,
    CIFAR100,
    TINY_IMAGENET,
    MNIST,
    FASHION_MNIST,
    IMAGE_FOLDER,
    FASHION_MNIST_MINI;

    /** As the command line says it. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /**
   * Reads {@code KIND:PATH}; {@code mnist} and {@code fashion-mnist} without a path are Debian's
   * packages. Nothing is opened yet.
   *
   * @throws UsageException if there is no such kind or no such path
   */
  public static DataSpec parse(String text) {
    int colon = text.indexOf(':');
    Kind kind = kindOf(text);
    String path = colon < 0 ? "" : text.substring(colon + 1);
    if (kind == Kind.FASHION_MNIST_MINI) {
      if (!path.isEmpty()) {
        throw new UsageException(kind + " takes no path, it is embedded; found " + path);
      }
      return new DataSpec(kind, null);
    }
    if (path.isEmpty()) {
      return installed(kind);
    }
    Path place =
        path.startsWith("~/")
            ? Path.of(System.getProperty("user.home"), path.substring(2))
            : Path.of(path);
    if (kind == Kind.MNIST || kind == Kind.FASHION_MNIST || Files.exists(place)) {
      return new DataSpec(kind, place); // IDX files may be named by what they begin with
    }
    throw new UsageException("data %s: no such file or folder".formatted(text));
  }

  /**
   * The kind that {@code KIND:PATH} names, whatever is at the path.
   *
   * @throws UsageException if there is no such kind
   */
  static Kind kindOf(String text) {
    return kind(text.replaceFirst(":.*", ""));
  }

  private static Kind kind(String name) {
    List<String> known = Arrays.stream(Kind.values()).map(Kind::toString).toList();
    int found = known.indexOf(name);
    if (found < 0) {
      throw new UsageException(
          "unknown data set %s%s; known: %s (then :PATH)"
              .formatted(name, Options.hint(name, known), String.join(", ", known)));
    }
    return Kind.values()[found];
  }

  private static DataSpec installed(Kind kind) {
    Path folder = DEBIAN.resolve(kind.toString());
    if (kind == Kind.FASHION_MNIST || kind == Kind.MNIST) {
      if (Files.isDirectory(folder)) {
        return new DataSpec(kind, folder);
      }
      throw new UsageException(
          "%s is not in %s; %spass %s:PATH, or use fashion-mnist-mini, which is embedded"
              .formatted(
                  kind,
                  folder,
                  kind == Kind.MNIST ? "" : "apt install dataset-fashion-mnist, or ",
                  kind));
    }
    throw new UsageException("%s needs a path: %s:PATH".formatted(kind, kind));
  }

  /**
   * Reads one split. TEST is {@code val} for Tiny-ImageNet, whose test images have no labels.
   *
   * @throws DataException if a file is damaged or of another format
   * @throws UsageException if there is no such data set at the path
   */
  public ImageSet load(Split split) {
    return source().read(split);
  }

  DataSource source() {
    return switch (kind) {
      case CIFAR10 -> new CifarFiles(CifarLayout.CIFAR10, path);
      case CIFAR100 -> new CifarFiles(CifarLayout.CIFAR100, path);
      case TINY_IMAGENET -> new TinyImageNet(path);
      case MNIST -> IdxFiles.mnist(path);
      case FASHION_MNIST -> IdxFiles.fashionMnist(path);
      case IMAGE_FOLDER -> new ImageFolder(path);
      case FASHION_MNIST_MINI -> IdxFiles.embedded();
    };
  }

  @Override
  public String toString() {
    return path == null ? kind.toString() : kind + ":" + path;
  }
}
