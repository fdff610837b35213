package bridge.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads the events back with a parser of its own: checksums bit by bit, protobuf by hand. */
class EventFileTest {
  @TempDir Path folder;

  @Test
  void checksumsAreThePublishedOnes() {
    byte[] digits = "123456789".getBytes(StandardCharsets.US_ASCII);
    assertEquals(0xe3069283, crc32c(digits), "check value of CRC-32C");
    assertEquals(0x8a9136aa, crc32c(new byte[32]), "RFC 3720, B.4: zeros");
    byte[] rising = new byte[32];
    for (int i = 0; i < 32; i++) {
      rising[i] = (byte) i;
    }
    assertEquals(0x46dd794e, crc32c(rising), "RFC 3720, B.4: 0 to 31");
    for (byte[] bytes : List.of(digits, new byte[32], rising, new byte[0])) {
      assertEquals(masked(bytes), EventFile.maskedCrc(bytes, 0, bytes.length));
    }
  }

  @Test
  void recordIsFramedAsTensorFlowDoes() {
    // The first record of every file of TensorFlow's writers, but for the time: here 0.
    byte[] payload =
        HexFormat.of().parseHex("090000000000000000" + "1a0d" + "627261696e2e4576656e743a32");
    ByteBuffer record = EventFile.framed(payload).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(8 + 4 + 24 + 4, record.remaining());
    assertEquals(24, record.getLong());
    // Every event file with a version record begins 18 00 00 00 00 00 00 00 a3 7f 4b 22.
    assertEquals(0x224b7fa3, record.getInt());
  }

  @Test
  void scalarsAreReadBack() throws IOException {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("loss/total", 1.5);
    values.put("lr", 0.1);
    values.put("diverged", Double.NaN);
    double before = System.currentTimeMillis() / 1e3;
    try (EventFile events = EventFile.create(folder)) {
      events.scalars(300, values);
      events.scalars(1L << 40, Map.of("ä", 2));
    }
    Path file = files().getFirst();
    assertTrue(
        file.getFileName()
            .toString()
            .matches("events\\.out\\.tfevents\\.\\d{10}\\.[\\w.-]+\\.bridge"),
        file.toString());

    List<Map<Integer, List<Object>>> events = events(file);
    assertEquals(3, events.size());
    assertEquals("brain.Event:2", string(events.get(0).get(3).getFirst()));
    double time = Double.longBitsToDouble((Long) events.get(0).get(1).getFirst());
    assertTrue(time >= before && time < before + 60, "seconds since 1970");

    assertEquals(300L, events.get(1).get(2).getFirst());
    List<Object> summary = message(events.get(1).get(5).getFirst()).get(1);
    List<String> tags = new ArrayList<>();
    List<Float> floats = new ArrayList<>();
    for (Object value : summary) {
      Map<Integer, List<Object>> fields = message(value);
      tags.add(string(fields.get(1).getFirst()));
      floats.add(Float.intBitsToFloat((Integer) fields.get(2).getFirst()));
    }
    assertEquals(List.of("loss/total", "lr", "diverged"), tags);
    assertEquals(List.of(1.5f, 0.1f, Float.NaN), floats);

    assertEquals(1L << 40, events.get(2).get(2).getFirst());
    Object value = message(events.get(2).get(5).getFirst()).get(1).getFirst();
    assertEquals("ä", string(message(value).get(1).getFirst()));
  }

  @Test
  void resumedRunGetsAFileOfItsOwnThatTakesLaterStepsBack() throws IOException {
    EventFile.create(folder).close();
    Path first = files().getFirst();
    try (EventFile _ = EventFile.resume(folder, 40)) {
      List<Path> both = files();
      assertEquals(2, both.size());
      assertEquals(first, both.getFirst(), "TensorBoard reads by name, so the new one after it");
      Map<Integer, List<Object>> start = events(both.getLast()).get(1);
      assertEquals(41L, start.get(2).getFirst());
      assertEquals(1L, message(start.get(7).getFirst()).get(1).getFirst(), "SessionLog.START");
    }
    assertFalse(Files.size(first) == 0);
  }

  /** The folder's files by name. */
  private List<Path> files() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.sorted().toList();
    }
  }

  /** The records' payloads, each checked, as messages. */
  private static List<Map<Integer, List<Object>>> events(Path file) throws IOException {
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    List<Map<Integer, List<Object>>> events = new ArrayList<>();
    while (in.hasRemaining()) {
      byte[] length = new byte[8];
      in.get(length);
      assertEquals(masked(length), in.getInt(), "checksum of the length");
      byte[] payload =
          new byte[(int) ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong()];
      in.get(payload);
      assertEquals(masked(payload), in.getInt(), "checksum of the payload");
      events.add(message(payload));
    }
    return events;
  }

  /** Field number → values: Long for varints and fixed64, Integer for fixed32, else bytes. */
  private static Map<Integer, List<Object>> message(Object bytes) {
    ByteBuffer in = ByteBuffer.wrap((byte[]) bytes).order(ByteOrder.LITTLE_ENDIAN);
    Map<Integer, List<Object>> fields = new LinkedHashMap<>();
    while (in.hasRemaining()) {
      long key = varint(in);
      Object value =
          switch ((int) key & 7) {
            case 0 -> varint(in);
            case 1 -> in.getLong();
            case 2 -> {
              byte[] content = new byte[(int) varint(in)];
              in.get(content);
              yield content;
            }
            case 5 -> in.getInt();
            default -> throw new AssertionError("wire type of key " + key);
          };
      fields.computeIfAbsent((int) (key >> 3), field -> new ArrayList<>()).add(value);
    }
    return fields;
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte part = in.get();
      value |= (long) (part & 0x7f) << shift;
      if (part >= 0) {
        return value;
      }
    }
  }

  private static String string(Object bytes) {
    return new String((byte[]) bytes, StandardCharsets.UTF_8);
  }

  private static int masked(byte[] bytes) {
    int crc = crc32c(bytes);
    return (crc >>> 15 | crc << 17) + 0xa282ead8;
  }

  /** Castagnoli's polynomial, reflected, one bit at a time. */
  private static int crc32c(byte[] bytes) {
    int crc = -1;
    for (byte b : bytes) {
      crc ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) == 0 ? crc >>> 1 : crc >>> 1 ^ 0x82f63b78;
      }
    }
    return ~crc;
  }
}
