package bridge.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Writes a file so that its name always shows a whole one: the old until the very end, then the
 * new.
 *
 * <p>The bytes go to a name beginning with a dot in the same folder, are forced to the disk, and
 * then take the name in one step. After a failure that name is gone and the old file stands; only a
 * killed process leaves a {@code .part} behind.
 */
public final class WholeFile {
  private WholeFile() {}

  /** What fills the file. */
  public interface Content {
    void write(Output out) throws IOException;
  }

  /** The file while it is filled, from front to end. */
  public static final class Output {
    private final FileChannel channel;
    private long position;

    private Output(FileChannel channel) {
      this.channel = channel;
    }

    /** How many bytes were put so far. */
    public long position() {
      return position;
    }

    public void put(byte[] bytes) throws IOException {
      put(ByteBuffer.wrap(bytes));
    }

    /** Puts what is left of the buffer. */
    public void put(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        position += channel.write(bytes);
      }
    }
  }

  /**
   * Writes a text in UTF-8.
   *
   * @throws FileException if the folder or the disk does not take it
   */
  public static void write(Path file, String text) {
    write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Writes these bytes.
   *
   * @throws FileException if the folder or the disk does not take them
   */
  public static void write(Path file, byte[] bytes) {
    write(file, out -> out.put(bytes));
  }

  /**
   * Writes what {@code content} puts.
   *
   * @throws FileException if the folder or the disk does not take it, or {@code content} fails with
   *     an {@link IOException}; its other exceptions pass through
   */
  public static void write(Path file, Content content) {
    Path target = file.toAbsolutePath();
    Path part =
        target.resolveSibling(
            ".%s.%08x.part".formatted(target.getFileName(), ThreadLocalRandom.current().nextInt()));
    try {
      try (FileChannel channel =
          FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        content.write(new Output(channel));
        channel.force(true);
      }
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      try (FileChannel folder = FileChannel.open(target.getParent(), StandardOpenOption.READ)) {
        folder.force(true); // the new name, too, survives a power cut
      }
    } catch (IOException e) {
      throw FileException.unwritable(file, e);
    } finally {
      discard(part);
    }
  }

  private static void discard(Path part) {
    try {
      Files.deleteIfExists(part);
    } catch (IOException e) {
      System.getLogger("bridge.files")
          .log(
              System.Logger.Level.WARNING,
              "%s was left behind: %s".formatted(part, Reason.writing(part, e)));
    }
  }
}
