package bridge.data;

import bridge.UsageException;
import bridge.torch.Memory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * CIFAR-10 and CIFAR-100, the binary and the Python version, each as a {@code .tar.gz} or as its
 * unpacked folder. An archive is read in one pass and never unpacked to the disk.
 */
final class CifarFiles implements DataSource {
  private static final int SIDE = 32;
  private static final int IMAGE = 3 * SIDE * SIDE;

  /** The largest published file, CIFAR-100's pickle of 155 MB, fits. */
  private static final long LARGEST_MEMBER = 1L << 28;

  private final CifarLayout layout;
  private final Path place;

  CifarFiles(CifarLayout layout, Path place) {
    this.layout = layout;
    this.place = place;
  }

  /** The split's files in memory, in order. */
  private record Members(List<String> names, List<Memory> memories, boolean python)
      implements AutoCloseable {
    @Override
    public void close() {
      memories.forEach(Memory::close);
    }
  }

  @Override
  public ImageSet read(Split split) {
    Path found = find();
    try (Members members =
        Files.isDirectory(found) ? unpacked(found, split) : archived(found, split)) {
      List<Records> batches = new ArrayList<>();
      for (int i = 0; i < members.names.size(); i++) {
        Memory memory = members.memories.get(i);
        batches.add(
            members.python
                ? CifarPickle.read(
                    members.names.get(i), memory, layout.labelKey, layout.classNames.size())
                : binary(members.names.get(i), memory));
      }
      return join(batches, layout.set + " " + split);
    } catch (IOException e) {
      throw DataException.unreadable(found, e);
    }
  }

  /** Some images and their labels. */
  interface Records {
    int size();

    int label(int i);

    /** Writes the 3072 bytes of image {@code i}, [3, 32, 32]. */
    void copy(int i, Memory to, long at);
  }

  private ImageSet join(List<Records> batches, String name) {
    int count = batches.stream().mapToInt(Records::size).sum();
    Memory pixels = Memory.allocate((long) count * IMAGE);
    int[] labels = new int[count];
    int at = 0;
    for (Records batch : batches) {
      for (int i = 0; i < batch.size(); i++, at++) {
        labels[at] = batch.label(i);
        batch.copy(i, pixels, (long) at * IMAGE);
      }
    }
    return new ImageSet(name, 3, SIDE, SIDE, layout.classNames, pixels, labels);
  }

  private Records binary(String name, Memory file) {
    int record = layout.labelBytes + IMAGE;
    if (file.size() == 0 || file.size() % record != 0) {
      throw new DataException(
          name,
          "has %d bytes, expected a multiple of %d; it is cut off or of another format"
              .formatted(file.size(), record));
    }
    int size = (int) (file.size() / record);
    for (int i = 0; i < size; i++) {
      long at = (long) i * record + layout.labelBytes - 1;
      if (file.getUByte(at) >= layout.classNames.size()) {
        throw new DataException(
            name,
            "has label %d in record %d (byte %d), expected 0 to %d"
                .formatted(file.getUByte(at), i, at, layout.classNames.size() - 1));
      }
    }
    return new Records() {
      @Override
      public int size() {
        return size;
      }

      @Override
      public int label(int i) {
        return file.getUByte((long) i * record + layout.labelBytes - 1);
      }

      @Override
      public void copy(int i, Memory to, long at) {
        to.copyFrom(file, (long) i * record + layout.labelBytes, at, IMAGE);
      }
    };
  }

  // ---- finding -------------------------------------------------------------------------------

  /** The folder with the files, or the archive. */
  private Path find() {
    if (Files.isRegularFile(place)) {
      return place;
    }
    String test = layout.members(Split.TEST).getFirst();
    for (String folder : List.of("", layout.pythonFolder, layout.binaryFolder)) {
      Path inside = place.resolve(folder);
      if (Files.isRegularFile(inside.resolve(test))
          || Files.isRegularFile(inside.resolve(test + ".bin"))) {
        return inside;
      }
    }
    return layout.archives.stream()
        .map(place::resolve)
        .filter(Files::isRegularFile)
        .findFirst()
        .orElseThrow(
            () ->
                new UsageException(
                    "no %s in %s: there is no %s, %s.bin, %s"
                        .formatted(
                            layout.set, place, test, test, String.join(", ", layout.archives))));
  }

  private Members unpacked(Path folder, Split split) throws IOException {
    List<String> files = layout.members(split);
    boolean python = Files.isRegularFile(folder.resolve(files.getFirst()));
    Members members = new Members(new ArrayList<>(), new ArrayList<>(), python);
    try {
      for (String file : files) {
        Path path = folder.resolve(python ? file : file + ".bin");
        if (!Files.isRegularFile(path)) {
          throw new DataException(folder, "has no " + path.getFileName() + "; unpack it again");
        }
        members.names.add(path.toString());
        check(path.toString(), Files.size(path));
        members.memories.add(Memory.map(path));
      }
      return members;
    } catch (IOException | RuntimeException e) {
      members.close();
      throw e;
    }
  }

  /** Takes the split's members out of the archive, as soon as one version of it is complete. */
  private Members archived(Path archive, Split split) throws IOException {
    List<String> python = layout.members(split);
    List<String> binary = python.stream().map(m -> m + ".bin").toList();
    Map<String, Memory> found = new HashMap<>();
    try (Tar tar = Tar.open(archive)) {
      for (Tar.Entry entry = tar.next(); entry != null; entry = tar.next()) {
        String file = entry.name().substring(entry.name().lastIndexOf('/') + 1);
        if ((python.contains(file) || binary.contains(file)) && !found.containsKey(file)) {
          check(archive + "!" + entry.name(), entry.bytes());
          found.put(file, tar.read());
        }
        for (List<String> version : List.of(python, binary)) {
          if (found.keySet().containsAll(version)) {
            List<String> names = version.stream().map(m -> archive + "!" + m).toList();
            return new Members(names, take(found, version), version == python);
          }
        }
      }
      String missing =
          Stream.of(python, binary)
              .map(version -> version.stream().filter(m -> !found.containsKey(m)).findFirst())
              .map(m -> m.orElse(""))
              .reduce((a, b) -> a + " or " + b)
              .orElse("");
      throw new DataException(
          archive, "is no %s archive: it has no member %s".formatted(layout.set, missing));
    } finally {
      found.values().forEach(Memory::close);
    }
  }

  private static List<Memory> take(Map<String, Memory> from, List<String> names) {
    return names.stream().map(from::remove).toList();
  }

  private static void check(String member, long bytes) {
    if (bytes > LARGEST_MEMBER) {
      throw new DataException(
          member, "has %d bytes, expected at most %d".formatted(bytes, LARGEST_MEMBER));
    }
  }

  @Override
  public List<PublishedFile> files() {
    Path found = find();
    if (!Files.isDirectory(found)) {
      return List.of(file(found));
    }
    return Stream.of(Split.values())
        .flatMap(split -> layout.members(split).stream())
        .flatMap(member -> Stream.of(member, member + ".bin"))
        .map(found::resolve)
        .filter(Files::isRegularFile)
        .map(CifarFiles::file)
        .toList();
  }

  private static PublishedFile file(Path path) {
    return new PublishedFile(
        path.toString(),
        () -> Files.newInputStream(path),
        CifarLayout.md5(path.getFileName().toString()));
  }
}
