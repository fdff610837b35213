package bridge.checkpoint;

import bridge.files.WholeFile;
import bridge.torch.Memory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/**
 * A zip of plain (stored) entries whose bytes begin at multiples of {@value #ALIGNMENT}, as PyTorch
 * aligns them; zip64 only where a number needs it.
 */
final class ZipWriter {
  private static final int ALIGNMENT = 64;
  private static final long WIDE = 0xffffffffL;

  /** 1980-01-01: a zip must have a date, and equal weights should make equal files. */
  private static final short DATE = 0x21;

  private static final short UTF8_NAMES = 0x800;

  private final WholeFile.Output out;
  private final long narrow;
  private final ByteArrayOutputStream directory = new ByteArrayOutputStream();
  private long count;

  ZipWriter(WholeFile.Output out) {
    this(out, WIDE);
  }

  /**
   * @param narrow sizes and positions from here on are written in zip64's way
   */
  ZipWriter(WholeFile.Output out, long narrow) {
    this.out = out;
    this.narrow = narrow;
  }

  void put(String name, byte[] bytes) throws IOException {
    CRC32 sum = new CRC32();
    sum.update(bytes);
    begin(name, bytes.length, (int) sum.getValue());
    out.put(bytes);
  }

  void put(String name, Memory bytes) throws IOException {
    CRC32 sum = new CRC32();
    bytes.buffers(0, bytes.size()).forEach(sum::update);
    begin(name, bytes.size(), (int) sum.getValue());
    for (ByteBuffer chunk : bytes.buffers(0, bytes.size())) {
      out.put(chunk);
    }
  }

  private void begin(String name, long size, int sum) throws IOException {
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    long start = out.position();
    boolean zip64 = size >= narrow || start >= narrow;
    int sizes = zip64 ? 20 : 0;
    int plain = 30 + utf8.length + sizes + 4;
    int padding = Math.floorMod(-(start + plain), ALIGNMENT);
    ByteBuffer local = buffer(plain + padding);
    local.putInt(0x04034b50).putShort(version(zip64));
    common(local, zip64 ? WIDE : size, sum, utf8.length).putShort((short) (sizes + 4 + padding));
    local.put(utf8);
    if (zip64) {
      local.putShort((short) 1).putShort((short) 16).putLong(size).putLong(size);
    }
    local.putShort((short) 0x4246).putShort((short) padding); // PyTorch's own padding field, "FB"
    out.put(local.array());

    // All three numbers are wide or none: PyTorch 1.13 refuses a wide position with narrow sizes.
    int extra = zip64 ? 28 : 0;
    ByteBuffer entry = buffer(46 + utf8.length + extra);
    entry.putInt(0x02014b50).putShort(version(zip64)).putShort(version(zip64));
    common(entry, zip64 ? WIDE : size, sum, utf8.length).putShort((short) extra);
    entry.putShort((short) 0).putShort((short) 0).putShort((short) 0).putInt(0);
    entry.putInt((int) (zip64 ? WIDE : start)).put(utf8);
    if (zip64) {
      entry.putShort((short) 1).putShort((short) 24).putLong(size).putLong(size).putLong(start);
    }
    directory.writeBytes(entry.array());
    count++;
  }

  /** Flags, method, time, date, checksum, both sizes, length of the name. */
  private static ByteBuffer common(ByteBuffer to, long size, int sum, int nameBytes) {
    to.putShort(UTF8_NAMES).putShort((short) 0).putShort((short) 0).putShort(DATE);
    return to.putInt(sum).putInt((int) size).putInt((int) size).putShort((short) nameBytes);
  }

  private static short version(boolean zip64) {
    return (short) (zip64 ? 45 : 20);
  }

  private int clamp(long value) {
    return (int) (value >= narrow ? WIDE : value);
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The directory of all entries. */
  void finish() throws IOException {
    long start = out.position();
    long bytes = directory.size();
    out.put(directory.toByteArray());
    boolean zip64 = start >= narrow || bytes >= narrow || count >= 0xffff;
    if (zip64) {
      long end = out.position();
      ByteBuffer end64 = buffer(56 + 20);
      end64.putInt(0x06064b50).putLong(44).putShort(version(true)).putShort(version(true));
      end64.putInt(0).putInt(0).putLong(count).putLong(count).putLong(bytes).putLong(start);
      end64.putInt(0x07064b50).putInt(0).putLong(end).putInt(1);
      out.put(end64.array());
    }
    short entries = (short) (zip64 ? 0xffff : count);
    ByteBuffer end = buffer(22);
    end.putInt(0x06054b50).putInt(0).putShort(entries).putShort(entries);
    end.putInt(clamp(bytes)).putInt(clamp(start)).putShort((short) 0);
    out.put(end.array());
  }
}
