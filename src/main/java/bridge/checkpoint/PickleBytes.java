package bridge.checkpoint;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Python's pickle opcodes (protocol 2), as far as a state_dict needs them, without a memo. */
final class PickleBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  void protocol() {
    out.write(0x80);
    out.write(2);
  }

  void global(String module, String name) {
    out.writeBytes(("c" + module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  void text(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    out.write('X');
    fixed(utf8.length, Integer.BYTES);
    out.writeBytes(utf8);
  }

  /** A whole number, of 32 bits where it fits, else of 64. */
  void number(long value) {
    if (value == (int) value) {
      out.write('J');
      fixed(value, Integer.BYTES);
    } else {
      out.write(0x8a);
      out.write(Long.BYTES);
      fixed(value, Long.BYTES);
    }
  }

  private void fixed(long value, int bytes) {
    byte[] little =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    out.write(little, 0, bytes);
  }

  /** Of numbers. */
  void tuple(long... values) {
    if (values.length == 0) {
      out.write(')');
      return;
    }
    mark();
    for (long value : values) {
      number(value);
    }
    endTuple();
  }

  void mark() {
    out.write('(');
  }

  /** All since the mark. */
  void endTuple() {
    out.write('t');
  }

  /** Keys and values since the mark, into the dict before it. */
  void setItems() {
    out.write('u');
  }

  void call() {
    out.write('R');
  }

  void no() {
    out.write(0x89);
  }

  /** The tuple before, as a reference to something outside the pickle. */
  void persistent() {
    out.write('Q');
  }

  byte[] stop() {
    out.write('.');
    return out.toByteArray();
  }
}
