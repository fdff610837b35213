package bridge.data;

import bridge.UsageException;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.ProviderNotFoundException;
import java.util.ArrayList;
import java.util.List;

/**
 * Tiny-ImageNet-200 as its zip or its unpacked folder: {@code train/WNID/images}, and {@code val}
 * either as published, with {@code val_annotations.txt}, or sorted into a folder for each class.
 *
 * <p>Classes are the WordNet ids in sorted order, as torchvision's ImageFolder has them; files with
 * another order (that of {@code wnids.txt}) would give other labels.
 */
final class TinyImageNet implements DataSource {
  private static final String TOP = "tiny-imagenet-200";
  private static final String ZIP_MD5 = "90528d7ca1a48142e341f4ef8d21d0de";

  private final Path place;

  TinyImageNet(Path place) {
    this.place = place;
  }

  @Override
  public ImageSet read(Split split) {
    Path found = find();
    if (Files.isDirectory(found)) {
      try {
        return read(found, split);
      } catch (IOException e) {
        throw DataException.unreadable(found, e);
      }
    }
    try (FileSystem zip = FileSystems.newFileSystem(found)) {
      return read(zip.getPath("/"), split);
    } catch (IOException e) {
      throw DataException.unreadable(found, e);
    } catch (ProviderNotFoundException e) {
      throw new DataException(found, "is no zip archive; expected " + TOP + ".zip", e);
    }
  }

  /** The folder or the archive. */
  private Path find() {
    Path zip = place.resolve(TOP + ".zip");
    boolean unpacked =
        Files.isDirectory(place.resolve("train")) || Files.isDirectory(place.resolve(TOP));
    return !unpacked && Files.isRegularFile(zip) ? zip : place;
  }

  private ImageSet read(Path top, Split split) throws IOException {
    Path root = Files.isDirectory(top.resolve(TOP)) ? top.resolve(TOP) : top;
    if (!Files.isDirectory(root.resolve("train")) || !Files.isDirectory(root.resolve("val"))) {
      throw new UsageException(
          "no tiny-imagenet in %s: expected the folders train and val".formatted(place));
    }
    List<String> classes = ImageFiles.folders(root.resolve("train"));
    Path annotations = root.resolve("val/val_annotations.txt");
    List<ImageFiles.Item> items =
        split == Split.TRAIN
            ? ImageFolder.ofClasses(root.resolve("train"), classes, "images")
            : Files.isRegularFile(annotations)
                ? annotated(annotations, classes)
                : ImageFolder.ofClasses(root.resolve("val"), classes, "images");
    return ImageFiles.load("tiny-imagenet " + split, place, items, classes);
  }

  /** Lines of file, WNID and a box, separated by tabs. */
  private List<ImageFiles.Item> annotated(Path annotations, List<String> classes)
      throws IOException {
    Path images = annotations.resolveSibling("images");
    List<ImageFiles.Item> items = new ArrayList<>();
    int line = 0;
    for (String text : Files.readAllLines(annotations)) {
      line++;
      String[] fields = text.split("\t");
      int label = fields.length < 2 ? -1 : classes.indexOf(fields[1]);
      if (label < 0 || !fields[0].matches("[\\w.-]+")) {
        throw new DataException(
            annotations, "has no image and known class in line %d: %s".formatted(line, text));
      }
      Path image = images.resolve(fields[0]);
      if (!Files.isRegularFile(image)) {
        throw new DataException(
            annotations, "names %s in line %d, which is not there".formatted(fields[0], line));
      }
      items.add(new ImageFiles.Item(image, label));
    }
    return items;
  }

  @Override
  public List<PublishedFile> files() {
    Path found = find();
    return Files.isDirectory(found)
        ? List.of()
        : List.of(new PublishedFile(found.toString(), () -> Files.newInputStream(found), ZIP_MD5));
  }
}
