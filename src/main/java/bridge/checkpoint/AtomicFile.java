package bridge.checkpoint;

import bridge.torch.Memory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Writes a file so that its name always shows a whole one: the old until the very end, then the
 * new.
 *
 * <p>The bytes go to a name beginning with a dot in the same folder, are forced to the disk, and
 * then take the name in one step. After a failure that name is gone and the old file stands; only a
 * killed process leaves a {@code .part} behind.
 */
final class AtomicFile {
  private static final int CHUNK = 1 << 26;

  private final FileChannel channel;
  private long position;

  private AtomicFile(FileChannel channel) {
    this.channel = channel;
  }

  /** What fills the file. */
  interface Body {
    void write(AtomicFile out) throws IOException;
  }

  /**
   * @throws CheckpointException if the folder or the disk does not take it
   */
  static void write(Path file, Body body) {
    Path target = file.toAbsolutePath();
    Path part =
        target.resolveSibling(
            ".%s.%08x.part".formatted(target.getFileName(), ThreadLocalRandom.current().nextInt()));
    try {
      try (FileChannel channel =
          FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        body.write(new AtomicFile(channel));
        channel.force(true);
      }
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      try (FileChannel folder = FileChannel.open(target.getParent(), StandardOpenOption.READ)) {
        folder.force(true); // the new name, too, survives a power cut
      }
    } catch (IOException e) {
      throw new CheckpointException(
          file,
          "cannot be written: %s; see to the folder and its free space".formatted(text(e)),
          e);
    } finally {
      discard(part);
    }
  }

  private static void discard(Path part) {
    try {
      Files.deleteIfExists(part);
    } catch (IOException e) {
      System.getLogger("bridge.checkpoint")
          .log(System.Logger.Level.WARNING, "left behind: " + part + ": " + text(e));
    }
  }

  /** An I/O error in words; some carry only a file name as their message. */
  static String text(IOException e) {
    String kind =
        e.getClass()
            .getSimpleName()
            .replaceAll("(?<=[a-z])(?=[A-Z])", " ")
            .toLowerCase(Locale.ROOT);
    if (e instanceof FileSystemException f) {
      return f.getReason() == null ? kind.replace(" exception", "") : f.getReason();
    }
    return e.getMessage() == null ? kind : e.getMessage();
  }

  long position() {
    return position;
  }

  void put(byte[] bytes) throws IOException {
    put(ByteBuffer.wrap(bytes));
  }

  void put(Memory memory) throws IOException {
    for (long at = 0; at < memory.size(); at += CHUNK) {
      put(memory.buffer(at, (int) Math.min(CHUNK, memory.size() - at)));
    }
  }

  private void put(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      position += channel.write(bytes);
    }
  }
}
