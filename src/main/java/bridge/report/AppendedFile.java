package bridge.report;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;

/** A file that only grows, record by record; each is in it when {@link #write} returns. */
final class AppendedFile implements AutoCloseable {
  private final Path path;
  private final FileChannel channel;

  /**
   * @throws ReportException if the file cannot be opened so
   */
  AppendedFile(Path path, OpenOption... options) {
    this.path = path;
    try {
      channel = FileChannel.open(path, options);
    } catch (IOException e) {
      throw ReportException.unwritable(path, e);
    }
  }

  synchronized void write(ByteBuffer record) {
    try {
      while (record.hasRemaining()) {
        channel.write(record);
      }
    } catch (IOException e) {
      throw ReportException.unwritable(path, e);
    }
  }

  /** Waits until the disk has it. */
  void force() {
    try {
      channel.force(false);
    } catch (IOException e) {
      throw ReportException.unwritable(path, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw ReportException.unwritable(path, e);
    }
  }
}
