package bridge.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * A folder that one process has for itself until {@link #close} or its end, by a lock on the file
 * {@code .lock} in it.
 *
 * <p>That file is opened once only: Linux takes a process's lock away as soon as the process closes
 * the file in any other place.
 */
public final class FolderLock implements AutoCloseable {
  private static final String NAME = ".lock";

  /** The locks of this process, which must not even open their files a second time. */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path folder;
  private final Path file;
  private final FileChannel channel;
  private final boolean created;

  private FolderLock(Path folder, Path file, FileChannel channel, boolean created) {
    this.folder = folder;
    this.file = file;
    this.channel = channel;
    this.created = created;
  }

  /**
   * Takes a folder, which is created where there is none.
   *
   * @return empty if somebody else has it
   * @throws IOException if the folder cannot be created or written
   */
  public static Optional<FolderLock> tryLock(Path folder) throws IOException {
    boolean created = !Files.exists(folder);
    Folders.createAll(folder);
    Path file = folder.toRealPath().resolve(NAME);
    if (!HELD.add(file)) {
      return Optional.empty();
    }
    FolderLock lock = null;
    try {
      lock = acquire(folder, file, created);
      return Optional.ofNullable(lock);
    } finally {
      if (lock == null) {
        HELD.remove(file);
      }
    }
  }

  /** Null if another process has it. */
  private static FolderLock acquire(Path folder, Path file, boolean created) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock() != null) {
        return new FolderLock(folder, file, channel, created);
      }
    } catch (OverlappingFileLockException e) {
      // another class loader's
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
    channel.close();
    return null;
  }

  /**
   * Lets another process have the folder. One that was created for this lock and holds nothing else
   * goes again. A second call does nothing.
   *
   * @throws FileException if the folder cannot be removed
   */
  @Override
  public void close() {
    if (!channel.isOpen()) {
      return;
    }
    try (channel) {
      if (created && isUnused()) {
        Files.delete(file);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw FileException.unwritable(folder, e);
    } finally {
      HELD.remove(file);
    }
  }

  private boolean isUnused() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.allMatch(other -> other.endsWith(NAME));
    }
  }
}
