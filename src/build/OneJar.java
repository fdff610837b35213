import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Joins jars into one by copying their entries as they are compressed: a second, where a tool that
 * inflates and deflates 400 MB of natives takes twenty (and the CUDA build five times that).
 *
 * <p>{@code java -cp LIBRARIES OneJar.java PROGRAM.jar OUT.jar}: the program's jar comes first, so
 * its manifest is the one that counts; then every jar of the class path.
 */
final class OneJar {
  private static final int END = 0x06054b50;
  private static final int ENTRY = 0x02014b50;
  private static final int LOCAL = 0x04034b50;
  private static final int ENTRY_HEADER = 46;
  private static final int LOCAL_HEADER = 30;

  /** Stands where a number is too large for its 32 bits. */
  private static final long ZIP64 = 0xffffffffL;

  private final Map<String, Path> written = new HashMap<>();
  private final List<ByteBuffer> directory = new ArrayList<>();

  public static void main(String[] args) throws IOException {
    Path out = Path.of(args[1]);
    Path part = Path.of(args[1] + ".part");
    OneJar joined = new OneJar();
    try (FileChannel to =
        FileChannel.open(
            part,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      joined.add(Path.of(args[0]), to);
      for (String library : System.getProperty("java.class.path").split(File.pathSeparator)) {
        if (library.endsWith(".jar")) {
          joined.add(Path.of(library), to);
        }
      }
      joined.finish(to);
    }
    // Moved into place, so that a program that runs from the old jar keeps its file.
    Files.move(part, out, StandardCopyOption.ATOMIC_MOVE);
  }

  private void add(Path jar, FileChannel to) throws IOException {
    try (FileChannel from = FileChannel.open(jar)) {
      ByteBuffer entries = directoryOf(from, jar);
      while (entries.hasRemaining()) {
        if (entries.getInt(entries.position()) != ENTRY) {
          throw new IOException(
              "not a zip entry at directory offset " + entries.position() + " of " + jar);
        }
        int start = entries.position();
        int length =
            ENTRY_HEADER
                + length(entries, start + 28)
                + length(entries, start + 30)
                + length(entries, start + 32);
        copy(entries.slice(start, length).order(ByteOrder.LITTLE_ENDIAN), from, jar, to);
        entries.position(start + length);
      }
    }
  }

  /** The central directory: one header per entry, at the end of the file. */
  private static ByteBuffer directoryOf(FileChannel jar, Path name) throws IOException {
    int tail = (int) Math.min(jar.size(), 22 + 0xffff);
    ByteBuffer end = read(jar, jar.size() - tail, tail);
    for (int at = tail - 22; at >= 0; at--) {
      if (end.getInt(at) == END) {
        return read(jar, Integer.toUnsignedLong(end.getInt(at + 16)), end.getInt(at + 12));
      }
    }
    throw new IOException("not a jar: " + name);
  }

  private void copy(ByteBuffer entry, FileChannel from, Path jar, FileChannel to)
      throws IOException {
    byte[] bytes = new byte[length(entry, 28)];
    entry.get(ENTRY_HEADER, bytes);
    String name = new String(bytes, UTF_8);
    if (unneeded(name) || isWritten(name, jar)) {
      return;
    }
    long size = Integer.toUnsignedLong(entry.getInt(20));
    long local = Integer.toUnsignedLong(entry.getInt(42));
    if (size == ZIP64 || local == ZIP64 || entry.getInt(24) == (int) ZIP64) {
      throw new IOException(name + " in " + jar + " needs zip64, which is not read here");
    }
    ByteBuffer header = read(from, local, LOCAL_HEADER);
    if (header.getInt(0) != LOCAL) {
      throw new IOException("no local header for " + name + " in " + jar);
    }
    long data = local + LOCAL_HEADER + length(header, 26) + length(header, 28);

    // Sizes and checksum go into both headers, so no data descriptor (flag 8) follows the data.
    ByteBuffer kept =
        ByteBuffer.allocate(ENTRY_HEADER + bytes.length).order(ByteOrder.LITTLE_ENDIAN);
    kept.put(0, entry, 0, kept.capacity());
    kept.putShort(8, (short) (entry.getShort(8) & ~8))
        .putShort(30, (short) 0)
        .putShort(32, (short) 0);
    kept.putInt(42, (int) to.position());
    directory.add(kept);

    header.put(6, kept, 8, 2).put(8, kept, 10, 18).putShort(28, (short) 0);
    write(to, header);
    write(to, ByteBuffer.wrap(bytes));
    for (long done = 0; done < size; ) {
      long copied = from.transferTo(data + done, size - done, to);
      if (copied <= 0) {
        throw new IOException("%s is cut short inside %s".formatted(jar, name));
      }
      done += copied;
    }
  }

  /** Whether an earlier jar gave an entry of this name, which only some may share. */
  private boolean isWritten(String name, Path jar) throws IOException {
    Path other = written.putIfAbsent(name, jar);
    if (other != null && !name.endsWith("/") && !described(name)) {
      throw new IOException("both " + other + " and " + jar + " hold " + name);
    }
    return other != null;
  }

  private void finish(FileChannel to) throws IOException {
    long start = to.position();
    for (ByteBuffer entry : directory) {
      write(to, entry);
    }
    if (to.position() > ZIP64 || directory.size() > 0xffff) {
      throw new IOException(
          "too large for a jar without zip64: "
              + to.position()
              + " bytes, "
              + directory.size()
              + " entries");
    }
    ByteBuffer end = ByteBuffer.allocate(22).order(ByteOrder.LITTLE_ENDIAN);
    end.putInt(0, END).putShort(8, (short) directory.size()).putShort(10, (short) directory.size());
    end.putInt(12, (int) (to.position() - start)).putInt(16, (int) start);
    write(to, end);
  }

  /**
   * What nothing reads at run time: 40 MB unpacked, and files that only mislead in a joined jar.
   */
  private static boolean unneeded(String name) {
    return name.endsWith("module-info.class")
        || name.startsWith("META-INF/versions/")
        || name.startsWith("META-INF/native-image/")
        || name.matches("META-INF/[^/]*\\.(SF|DSA|RSA)")
        || name.matches("org/bytedeco/.*(\\.(cpp|h|cmake|pc)|/libjniopenblas_full\\.so)");
  }

  /** Files that every jar has one of, for people: the first one stays. */
  private static boolean described(String name) {
    return name.startsWith("META-INF/") && !name.startsWith("META-INF/services/");
  }

  /** An unsigned 16-bit number. */
  private static int length(ByteBuffer bytes, int at) {
    return Short.toUnsignedInt(bytes.getShort(at));
  }

  private static ByteBuffer read(FileChannel from, long position, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (from.read(bytes, position + bytes.position()) < 0) {
        throw new IOException("cut short at byte " + (position + bytes.position()));
      }
    }
    return bytes.flip();
  }

  private static void write(FileChannel to, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      to.write(bytes);
    }
  }
}
