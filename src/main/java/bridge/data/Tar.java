package bridge.data;

import bridge.torch.Memory;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/**
 * Reads a tar archive, gzipped or not, from front to end: plain files only, into memory only. Long
 * names (GNU, pax) are understood, names that lead out of the archive refused.
 */
final class Tar implements AutoCloseable {
  private static final int BLOCK = 512;
  private static final int LARGEST_NAME = 1 << 20;

  /** Of headers and of unpacked bytes; a good archive is far below. */
  private static final int MOST_ENTRIES = 100_000;

  private static final long MOST_BYTES = 1L << 33;

  private final Path archive;
  private final InputStream in;
  private long at;
  private long left;
  private long padding;
  private int entries;

  /**
   * A plain file of the archive.
   *
   * @param bytes its size as the header says
   */
  record Entry(String name, long bytes) {}

  private Tar(Path archive, InputStream in) {
    this.archive = archive;
    this.in = in;
  }

  static Tar open(Path archive) throws IOException {
    InputStream file = new BufferedInputStream(Files.newInputStream(archive), 1 << 16);
    try {
      file.mark(2);
      boolean gzip = file.read() == 0x1f && file.read() == 0x8b;
      file.reset();
      return new Tar(archive, gzip ? new GZIPInputStream(file, 1 << 16) : file);
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** The next plain file, or null at the end. */
  Entry next() throws IOException {
    String longName = null;
    while (true) {
      skip(left + padding);
      byte[] header = new byte[BLOCK];
      int got = in.readNBytes(header, 0, BLOCK);
      at += got;
      if (got == 0 || got == BLOCK && isZero(header)) {
        return null;
      }
      if (got < BLOCK) {
        throw cutOff();
      }
      left = size(header);
      padding = -left & (BLOCK - 1);
      if (++entries > MOST_ENTRIES || at + left > MOST_BYTES) {
        throw broken("unpacks to more than any data set's");
      }
      char type = (char) (header[156] & 0xff);
      switch (type) {
        case 'L' -> longName = gnuName(content());
        case 'x' -> longName = paxPath(content(), longName);
        case '0', '\0' -> {
          return new Entry(safe(longName != null ? longName : name(header)), left);
        }
        default -> longName = null; // folders, links, devices: nothing that holds data
      }
    }
  }

  /** The bytes of the entry that {@link #next} gave. */
  Memory read() throws IOException {
    Memory memory = Memory.allocate(left);
    try {
      long got = Streams.fill(in, memory, 0, left);
      at += got;
      if (got < left) {
        throw cutOff();
      }
    } catch (IOException | RuntimeException e) {
      memory.close();
      throw e;
    }
    left = 0;
    return memory;
  }

  /** The bytes of an entry that tells the next one's name. */
  private byte[] content() throws IOException {
    if (left > LARGEST_NAME) {
      throw broken("has a name of %d characters".formatted(left));
    }
    byte[] bytes = in.readNBytes((int) left);
    at += bytes.length;
    if (bytes.length < left) {
      throw cutOff();
    }
    left = 0;
    return bytes;
  }

  private void skip(long bytes) throws IOException {
    long skipped = 0;
    byte[] sink = new byte[(int) Math.min(bytes, 1 << 16)];
    while (skipped < bytes) {
      int got = in.read(sink, 0, (int) Math.min(sink.length, bytes - skipped));
      if (got < 0) {
        throw cutOff();
      }
      skipped += got;
      at += got;
    }
  }

  /** Octal digits, or a big-endian number behind a set first bit; guarded by the checksum. */
  private long size(byte[] header) {
    int sum = 0;
    for (int i = 0; i < BLOCK; i++) {
      sum += i >= 148 && i < 156 ? ' ' : header[i] & 0xff;
    }
    if (sum != octal(header, 148, 8)) {
      throw broken("has a header with a wrong checksum");
    }
    if (header[124] >= 0) {
      return octal(header, 124, 12);
    }
    long size = 0;
    for (int i = 125; i < 136; i++) {
      if (size >>> 47 != 0) {
        throw broken("has an entry of absurd size");
      }
      size = size << 8 | header[i] & 0xff;
    }
    return size;
  }

  private long octal(byte[] header, int from, int length) {
    String digits = text(header, from, length).strip();
    if (!digits.matches("[0-7]{1,12}")) {
      throw broken("has a header without a number at %d".formatted(from));
    }
    return Long.parseLong(digits, 8);
  }

  private static String name(byte[] header) {
    String prefix = text(header, 257, 5).equals("ustar") ? text(header, 345, 155) : "";
    String name = text(header, 0, 100);
    // GNU's older format keeps times where POSIX has the prefix, and says so behind "ustar"
    return prefix.isEmpty() || header[263] == ' ' ? name : prefix + "/" + name;
  }

  private static String gnuName(byte[] bytes) {
    return text(bytes, 0, bytes.length);
  }

  /** The path in pax records such as {@code 18 path=some/name}, or what is known already. */
  private static String paxPath(byte[] records, String otherwise) {
    for (String line : new String(records, StandardCharsets.UTF_8).split("\n")) {
      int path = line.indexOf(" path=");
      if (path > 0) {
        return line.substring(path + 6);
      }
    }
    return otherwise;
  }

  private String safe(String name) {
    if (name.startsWith("/") || name.contains("\\") || ("/" + name + "/").contains("/../")) {
      throw broken("has a member that leads out of it: %s".formatted(name));
    }
    return name;
  }

  private static String text(byte[] bytes, int from, int length) {
    int end = from;
    while (end < from + length && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, from, end - from, StandardCharsets.UTF_8);
  }

  private static boolean isZero(byte[] block) {
    for (byte b : block) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  private DataException cutOff() {
    return broken("is cut off");
  }

  private DataException broken(String what) {
    return new DataException(
        archive, "%s (byte %d of the unpacked archive); fetch it again".formatted(what, at));
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
