package bridge.checkpoint;

import bridge.torch.Memory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The entries of a zip file, by name, as parts of its mapping. Only what PyTorch writes is read:
 * entries stored as they are, neither packed nor encrypted nor overlapping, zip64 or not.
 *
 * <p>Checksums are not compared, as PyTorch does not: files it saved without computing them hold
 * other numbers.
 */
final class ZipDirectory {
  private static final int END = 0x06054b50;
  private static final int END64 = 0x06064b50;
  private static final int LOCATOR64 = 0x07064b50;
  private static final int CENTRAL = 0x02014b50;
  private static final int LOCAL = 0x04034b50;
  private static final int END_BYTES = 22;
  private static final int CENTRAL_BYTES = 46;
  private static final int LOCAL_BYTES = 30;
  private static final long MOST_ENTRIES = 2L * MappedTensors.MOST_TENSORS;
  private static final long MOST_BYTES = 1 << 26;
  private static final long WIDE = 0xffffffffL;

  /** What is never compressed; TorchScript's code and debug records are, once they are long. */
  private static final Pattern WEIGHTS =
      Pattern.compile("[^/]*/(data\\.pkl|constants\\.pkl|byteorder|(data|constants)/.*)");

  private final Path file;
  private final Memory memory;
  private final Map<String, MappedTensors.Region> entries = new LinkedHashMap<>();
  private final Set<String> names = new HashSet<>();

  private ZipDirectory(Path file, Memory memory) {
    this.file = file;
    this.memory = memory;
  }

  /** A part of the file that one entry covers, its local header included. */
  private record Extent(String name, long start, long end) {}

  /** The position, length and number of entries of the central directory. */
  private record Central(long start, long bytes, long count) {}

  /** The entries that are not compressed by name, in the directory's order. */
  static Map<String, MappedTensors.Region> read(Path file, Memory memory) {
    ZipDirectory zip = new ZipDirectory(file, memory);
    zip.read(zip.central());
    return zip.entries;
  }

  private Central central() {
    long end = end();
    long count = ushort(end + 10);
    long bytes = uint(end + 12);
    long start = uint(end + 16);
    if (count == 0xffff || bytes == WIDE || start == WIDE) {
      long locator = end - 20;
      if (locator < 0 || memory.getInt(locator) != LOCATOR64) {
        throw broken(end, "has no zip64 directory where one belongs");
      }
      long zip64 = memory.getLong(locator + 8);
      check(zip64, 56, locator, "zip64 directory");
      if (memory.getInt(zip64) != END64) {
        throw broken(zip64, "has no zip64 directory where one belongs");
      }
      count = memory.getLong(zip64 + 32);
      bytes = memory.getLong(zip64 + 40);
      start = memory.getLong(zip64 + 48);
    }
    check(start, bytes, end, "directory");
    if (count < 0 || count > MOST_ENTRIES || bytes > MOST_BYTES || count * CENTRAL_BYTES > bytes) {
      throw broken(end, "lists %d entries in %d bytes".formatted(count, bytes));
    }
    return new Central(start, bytes, count);
  }

  /** Where the end record is: at the very end, but for a comment. */
  private long end() {
    long last = memory.size() - END_BYTES;
    for (long at = last; at >= 0 && at >= last - 0xffff; at--) {
      if (memory.getInt(at) == END && at + END_BYTES + ushort(at + 20) <= memory.size()) {
        return at;
      }
    }
    throw new CheckpointException(
        file,
        "is a zip file without its end: it was cut off, at %d bytes; fetch it again"
            .formatted(memory.size()));
  }

  private void read(Central central) {
    List<Extent> extents = new ArrayList<>();
    long at = central.start;
    long end = central.start + central.bytes;
    for (long i = 0; i < central.count; i++) {
      check(at, CENTRAL_BYTES, end, "directory");
      if (memory.getInt(at) != CENTRAL) {
        throw broken(at, "has a broken directory");
      }
      int name = ushort(at + 28);
      int extra = ushort(at + 30);
      long next = at + CENTRAL_BYTES + name + extra + ushort(at + 32);
      check(at, next - at, end, "directory");
      extents.add(entry(at, name, extra, central.start));
      at = next;
    }
    extents.sort(Comparator.comparingLong(Extent::start));
    for (int i = 1; i < extents.size(); i++) {
      Extent before = extents.get(i - 1);
      if (before.end > extents.get(i).start) {
        throw broken(
            extents.get(i).start,
            "has entries that overlap: %s and %s".formatted(before.name, extents.get(i).name));
      }
    }
  }

  private Extent entry(long at, int nameBytes, int extraBytes, long limit) {
    String name = name(at + CENTRAL_BYTES, nameBytes);
    String printable = CheckpointException.printable(name);
    long packed = uint(at + 20);
    long size = uint(at + 24);
    long local = uint(at + 42);
    long extra = at + CENTRAL_BYTES + nameBytes;
    long zip64 = extra64(extra, extra + extraBytes);
    long zip64End = zip64 < 0 ? 0 : zip64 + ushort(zip64 - 2);
    if (size == WIDE) {
      size = zip64Value(zip64, zip64End, at);
      zip64 += Long.BYTES;
    }
    if (packed == WIDE) {
      packed = zip64Value(zip64, zip64End, at);
      zip64 += Long.BYTES;
    }
    if (local == WIDE) {
      local = zip64Value(zip64, zip64End, at);
    }
    boolean stored = (ushort(at + 8) & 1) == 0 && ushort(at + 10) == 0 && packed == size;
    if (!stored && WEIGHTS.matcher(name).matches()) {
      throw broken(
          at,
          "has entry %s compressed or encrypted, as PyTorch never writes it".formatted(printable));
    }
    long start = start(local, nameBytes, limit, printable);
    check(start, packed, limit, printable);
    if (!names.add(name)) {
      throw broken(at, "has entry %s twice".formatted(printable));
    }
    if (stored) {
      entries.put(name, new MappedTensors.Region(memory, start, size));
    }
    return new Extent(printable, local, start + packed);
  }

  private String name(long at, int bytes) {
    return new String(memory.bytes(at, bytes), StandardCharsets.UTF_8);
  }

  /** Where an entry's content begins, behind its own header. */
  private long start(long local, int nameBytes, long limit, String printable) {
    check(local, LOCAL_BYTES, limit, printable);
    if (memory.getInt(local) != LOCAL || ushort(local + 26) != nameBytes) {
      throw broken(local, "has no entry %s where its directory says".formatted(printable));
    }
    return local + LOCAL_BYTES + nameBytes + ushort(local + 28);
  }

  /** The first byte of the zip64 values in an entry's extra field; -1 where there is none. */
  private long extra64(long from, long to) {
    long at = from;
    while (at + 4 <= to) {
      int length = ushort(at + 2);
      if (ushort(at) == 1 && at + 4 + length <= to) {
        return at + 4;
      }
      at += 4 + length;
    }
    return -1;
  }

  private long zip64Value(long at, long end, long entry) {
    if (at < 0 || at + Long.BYTES > end) {
      throw broken(entry, "lacks the zip64 values of an entry");
    }
    return memory.getLong(at);
  }

  private void check(long start, long bytes, long limit, String what) {
    if (start < 0 || bytes < 0 || start > limit || bytes > limit - start) {
      throw broken(
          Math.max(start, 0), "has its %s outside the file: cut off or damaged".formatted(what));
    }
  }

  private int ushort(long at) {
    return memory.getUByte(at) | memory.getUByte(at + 1) << 8;
  }

  private long uint(long at) {
    return Integer.toUnsignedLong(memory.getInt(at));
  }

  private CheckpointException broken(long at, String what) {
    return new CheckpointException(
        file, "is a zip file that %s (offset %d); fetch it again".formatted(what, at));
  }
}
