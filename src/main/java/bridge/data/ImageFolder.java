package bridge.data;

import bridge.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A user's own images: {@code train/CLASS/…} and {@code test/CLASS/…} (or {@code val/}), PNG or
 * JPEG, all of one size. Classes are the sorted names of the folders in {@code train/}.
 */
final class ImageFolder implements DataSource {
  private final Path place;

  ImageFolder(Path place) {
    this.place = place;
  }

  @Override
  public ImageSet read(Split split) {
    Path train = place.resolve("train");
    if (!Files.isDirectory(train)) {
      throw new UsageException(
          "%s has no folder train; expected train/CLASS/*.png and test/CLASS/*.png"
              .formatted(place));
    }
    try {
      List<String> classes = ImageFiles.folders(train);
      if (classes.isEmpty()) {
        throw new UsageException(train + " has no folders, expected one for each class");
      }
      Path images = split == Split.TRAIN ? train : test();
      return ImageFiles.load(
          "image-folder " + split, place, ofClasses(images, classes, ""), classes);
    } catch (IOException e) {
      throw DataException.unreadable(place, e);
    }
  }

  private Path test() {
    for (String name : List.of("test", "val")) {
      if (Files.isDirectory(place.resolve(name))) {
        return place.resolve(name);
      }
    }
    throw new UsageException(place + " has no folder test or val");
  }

  /**
   * The images of {@code folder/CLASS/inside}, class by class.
   *
   * @throws DataException if there is a folder that is no class
   */
  static List<ImageFiles.Item> ofClasses(Path folder, List<String> classes, String inside)
      throws IOException {
    List<ImageFiles.Item> items = new ArrayList<>();
    for (String name : ImageFiles.folders(folder)) {
      int label = classes.indexOf(name);
      if (label < 0) {
        throw new DataException(
            folder.resolve(name), "is no class: the training images have no folder " + name);
      }
      Path deeper = folder.resolve(name).resolve(inside);
      Path images = Files.isDirectory(deeper) ? deeper : folder.resolve(name);
      for (Path image : ImageFiles.images(images)) {
        items.add(new ImageFiles.Item(image, label));
      }
    }
    return items;
  }

  @Override
  public List<PublishedFile> files() {
    return List.of();
  }
}
