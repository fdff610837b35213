package bridge.data;

import bridge.files.Digest;
import bridge.files.FileException;
import bridge.files.Folders;
import bridge.files.WholeFile;
import bridge.torch.Memory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;

/**
 * Decoded pixels in a file of their own, so that images are decoded once. JPEG decoders differ by
 * some grey levels, so this also keeps runs comparable.
 *
 * <p>The folder is {@code $XDG_CACHE_HOME/bridge} or {@code ~/.cache/bridge}; a file's name tells
 * what it was made of (names, sizes and times of the images), so changed images make a new one. All
 * of it may be deleted at any time. Where the folder cannot be written, pixels stay in memory.
 */
final class DecodedCache {
  /** Part of the key: another decoding must not find the files of this one. */
  private static final String VERSION = "1";

  private final Path file;
  private final long bytes;

  private DecodedCache(Path file, long bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  /** Takes decoded images in order. */
  interface Sink {
    /** Takes the first {@code bytes} of the memory. */
    void write(Memory memory, long bytes) throws IOException;
  }

  /** Makes all images, in order. */
  interface Decoder {
    void decode(Sink sink) throws IOException;
  }

  static DecodedCache of(String name, List<ImageFiles.Item> items, int imageBytes)
      throws IOException {
    Digest digest = Digest.sha256().add(VERSION);
    for (ImageFiles.Item item : items) {
      var attributes = Files.readAttributes(item.file(), BasicFileAttributes.class);
      String line =
          "%s\t%d\t%d\n"
              .formatted(item.file(), attributes.size(), attributes.lastModifiedTime().toMillis());
      digest.add(line);
    }
    String key = digest.hex().substring(0, 24);
    Path file = folder().resolve("%s-%s.u8".formatted(name.replace(' ', '-'), key));
    return new DecodedCache(file, (long) items.size() * imageBytes);
  }

  private static Path folder() {
    String override = System.getProperty("bridge.cache"); // for tests
    String xdg = System.getenv("XDG_CACHE_HOME");
    if (override != null) {
      return Path.of(override);
    }
    return xdg != null && !xdg.isEmpty()
        ? Path.of(xdg, "bridge")
        : Path.of(System.getProperty("user.home"), ".cache", "bridge");
  }

  /** The pixels, mapped, or null where they have not been decoded yet. */
  Memory find() throws IOException {
    return Files.isRegularFile(file) && Files.size(file) == bytes ? Memory.map(file) : null;
  }

  /** Decodes into the cache, and maps it. */
  Memory store(Decoder body) throws IOException {
    if (!folderTakesIt()) {
      return inMemory(body);
    }
    WholeFile.write(
        file,
        out ->
            body.decode(
                (memory, count) -> {
                  for (ByteBuffer chunk : memory.buffers(0, count)) {
                    out.put(chunk);
                  }
                }));
    return Memory.map(file);
  }

  private boolean folderTakesIt() {
    Path folder = file.getParent();
    try {
      Folders.create(folder);
      return Files.isWritable(folder) && Files.getFileStore(folder).getUsableSpace() >= bytes;
    } catch (FileException | IOException e) {
      return false;
    }
  }

  private Memory inMemory(Decoder body) throws IOException {
    Memory all = Memory.allocate(bytes);
    try {
      long[] at = {0};
      body.decode(
          (memory, count) -> {
            all.copyFrom(memory, 0, at[0], count);
            at[0] += count;
          });
      return all;
    } catch (IOException | RuntimeException e) {
      all.close();
      throw e;
    }
  }
}
