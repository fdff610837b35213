package bridge.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A file that only grows, record by record; the system has each when {@link #write} returns. A
 * record that the disk did not take whole may stand at its end in part.
 */
public final class AppendedFile implements AutoCloseable {
  private final Path path;
  private final FileChannel channel;

  private AppendedFile(Path path, OpenOption... options) {
    this.path = path;
    try {
      channel = FileChannel.open(path, options);
    } catch (IOException e) {
      throw FileException.unwritable(path, e);
    }
  }

  /**
   * Goes on at the end of a file, which is created where there is none.
   *
   * @throws FileException if it cannot be opened so
   */
  public static AppendedFile open(Path path) {
    return new AppendedFile(
        path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
  }

  /**
   * Begins a new file.
   *
   * @throws FileException if there is one already, or it cannot be created
   */
  public static AppendedFile create(Path path) {
    return new AppendedFile(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  /**
   * Adds one record to a file that is open only meanwhile, so that its owner may move it away.
   *
   * @throws FileException if the file or the disk does not take it
   */
  public static void append(Path path, String record) {
    try (AppendedFile file = open(path)) {
      file.write(record);
    }
  }

  /** Adds a text in UTF-8. */
  public void write(String record) {
    write(ByteBuffer.wrap(record.getBytes(StandardCharsets.UTF_8)));
  }

  /**
   * Adds what is left of the buffer.
   *
   * @throws FileException if the disk does not take it
   */
  public synchronized void write(ByteBuffer record) {
    try {
      while (record.hasRemaining()) {
        channel.write(record);
      }
    } catch (IOException e) {
      throw FileException.unwritable(path, e);
    }
  }

  /** Cuts the file off behind this many bytes. */
  public void truncate(long bytes) {
    try {
      channel.truncate(bytes);
    } catch (IOException e) {
      throw FileException.unwritable(path, e);
    }
  }

  /** Waits until the disk has it. */
  public void force() {
    try {
      channel.force(false);
    } catch (IOException e) {
      throw FileException.unwritable(path, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw FileException.unwritable(path, e);
    }
  }
}
