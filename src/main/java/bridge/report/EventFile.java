package bridge.report;

import bridge.files.AppendedFile;
import bridge.files.FileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Scalars for TensorBoard: {@code events.out.tfevents.SECONDS.HOST.bridge}.
 *
 * <p>A record is the length (64 bits, little endian), its checksum, a protobuf {@code Event} and
 * its checksum; the few fields used are written by hand, numbered as in TensorFlow's {@code
 * event.proto} and {@code summary.proto}. Every record is written at once, so that TensorBoard may
 * watch.
 */
public final class EventFile implements AutoCloseable {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private final AppendedFile out;

  private EventFile(Path folder) {
    String name =
        "events.out.tfevents.%010d.%s.bridge".formatted((long) secondsSince1970(), host());
    Path free = folder.resolve(name);
    for (int i = 1; Files.exists(free); i++) {
      free = folder.resolve(name + "." + i);
    }
    out = AppendedFile.create(free);
    Message version = new Message();
    version.bytes(3, "brain.Event:2".getBytes(StandardCharsets.UTF_8));
    append(0, version);
  }

  /**
   * Begins a file in a run's folder.
   *
   * @throws FileException if the folder does not take it
   */
  public static EventFile create(Path folder) {
    return new EventFile(folder);
  }

  /**
   * Begins a further file of an interrupted run. TensorBoard reads it after the earlier ones and
   * forgets what those say of later steps.
   *
   * @param step the checkpoint's: the last that counts in the earlier files
   */
  public static EventFile resume(Path folder, long step) {
    EventFile events = create(folder);
    Message started = new Message();
    started.varint(1, 1); // SessionLog.status = START
    Message event = new Message();
    event.bytes(7, started.toByteArray());
    events.append(step + 1, event);
    return events;
  }

  /** Adds values by tag, for instance {@code loss/total}; a slash groups tags in TensorBoard. */
  public void scalars(long step, Map<String, ? extends Number> values) {
    Message summary = new Message();
    values.forEach(
        (tag, number) -> {
          Message value = new Message();
          value.bytes(1, tag.getBytes(StandardCharsets.UTF_8));
          value.fixed32(2, Float.floatToRawIntBits(number.floatValue()));
          summary.bytes(1, value.toByteArray());
        });
    append(step, summary(summary));
  }

  @Override
  public void close() {
    out.close();
  }

  private static Message summary(Message summary) {
    Message event = new Message();
    event.bytes(5, summary.toByteArray());
    return event;
  }

  private void append(long step, Message body) {
    Message event = new Message();
    event.fixed64(1, Double.doubleToRawLongBits(secondsSince1970()));
    event.varint(2, step);
    event.writeBytes(body.toByteArray());
    out.write(framed(event.toByteArray()));
  }

  private static double secondsSince1970() {
    return System.currentTimeMillis() / 1e3;
  }

  static ByteBuffer framed(byte[] payload) {
    ByteBuffer record =
        ByteBuffer.allocate(8 + 4 + payload.length + 4).order(ByteOrder.LITTLE_ENDIAN);
    record.putLong(payload.length);
    record.putInt(maskedCrc(record.array(), 0, 8));
    record.put(payload);
    record.putInt(maskedCrc(payload, 0, payload.length));
    return record.flip();
  }

  /** CRC-32C, turned right by 15 bits and moved on, so that a checksum of checksums stays good. */
  static int maskedCrc(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    return Integer.rotateRight((int) crc.getValue(), 15) + 0xa282ead8;
  }

  /** The host's name without asking a name server. */
  private static String host() {
    String name = System.getenv().getOrDefault("HOSTNAME", "");
    try {
      Path kernel = Path.of("/proc/sys/kernel/hostname");
      name = name.isBlank() && Files.exists(kernel) ? Files.readString(kernel).strip() : name;
    } catch (IOException e) {
      name = "";
    }
    name = name.replaceAll("[^\\w.-]", "_");
    return name.isEmpty() ? "localhost" : name;
  }

  /** A protobuf message on its way to bytes: key, then value, field after field. */
  private static final class Message extends ByteArrayOutputStream {
    private void varint(int field, long value) {
      raw((long) field << 3 | VARINT);
      raw(value);
    }

    private void fixed64(int field, long bits) {
      raw((long) field << 3 | FIXED64);
      writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(bits).array());
    }

    private void fixed32(int field, int bits) {
      raw((long) field << 3 | FIXED32);
      writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(bits).array());
    }

    private void bytes(int field, byte[] value) {
      raw((long) field << 3 | BYTES);
      raw(value.length);
      writeBytes(value);
    }

    private void raw(long value) {
      long rest = value;
      for (; (rest & ~0x7fL) != 0; rest >>>= 7) {
        write((int) (rest & 0x7f | 0x80));
      }
      write((int) rest);
    }
  }
}
