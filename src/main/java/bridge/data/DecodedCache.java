package bridge.data;

import bridge.torch.Memory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.HexFormat;
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

  private static final int CHUNK = 1 << 26;

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
  interface Body {
    void decode(Sink sink) throws IOException;
  }

  static DecodedCache of(String name, List<ImageFiles.Item> items, int imageBytes)
      throws IOException {
    MessageDigest digest = PublishedFile.digest("SHA-256");
    digest.update(VERSION.getBytes(StandardCharsets.UTF_8));
    for (ImageFiles.Item item : items) {
      var attributes = Files.readAttributes(item.file(), BasicFileAttributes.class);
      String line =
          "%s\t%d\t%d\n"
              .formatted(item.file(), attributes.size(), attributes.lastModifiedTime().toMillis());
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    String key = HexFormat.of().formatHex(digest.digest(), 0, 12);
    Path file = folder().resolve("%s-%s.u8".formatted(name.replace(' ', '-'), key));
    return new DecodedCache(file, (long) items.size() * imageBytes);
  }

  private static Path folder() {
    String given = System.getProperty("bridge.cache"); // for tests
    String xdg = System.getenv("XDG_CACHE_HOME");
    if (given != null) {
      return Path.of(given);
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
  Memory store(Body body) throws IOException {
    Path part = part();
    if (part == null) {
      return inMemory(body);
    }
    try {
      try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
        body.decode((memory, count) -> write(channel, memory, count));
      }
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
    return Memory.map(file);
  }

  /** An empty file beside the final one; null where none can be made or there is no room. */
  private Path part() {
    try {
      Files.createDirectories(file.getParent());
      if (Files.getFileStore(file.getParent()).getUsableSpace() < bytes) {
        return null;
      }
      return Files.createTempFile(file.getParent(), ".decoding-", ".part");
    } catch (IOException e) {
      return null;
    }
  }

  private static void write(FileChannel channel, Memory memory, long bytes) throws IOException {
    for (long at = 0; at < bytes; at += CHUNK) {
      ByteBuffer chunk = memory.buffer(at, (int) Math.min(CHUNK, bytes - at));
      while (chunk.hasRemaining()) {
        channel.write(chunk);
      }
    }
  }

  private Memory inMemory(Body body) throws IOException {
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
