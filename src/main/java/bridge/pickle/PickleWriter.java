package bridge.pickle;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes a pickle of protocol 2, opcode by opcode, as far as a state_dict needs them. */
public final class PickleWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private void put(Opcode opcode) {
    out.write(opcode.code);
  }

  /** Begins the pickle. */
  public void protocol() {
    put(Opcode.PROTO);
    out.write(2);
  }

  /** A class or function by its name. */
  public void global(String module, String name) {
    put(Opcode.GLOBAL);
    out.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  /** A string. */
  public void text(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    put(Opcode.BINUNICODE);
    fixed(utf8.length, Integer.BYTES);
    out.writeBytes(utf8);
  }

  /** A whole number, of 32 bits where it fits, else of 64. */
  public void number(long value) {
    if (value == (int) value) {
      put(Opcode.BININT);
      fixed(value, Integer.BYTES);
    } else {
      put(Opcode.LONG1);
      out.write(Long.BYTES);
      fixed(value, Long.BYTES);
    }
  }

  private void fixed(long value, int bytes) {
    byte[] little =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    out.write(little, 0, bytes);
  }

  /** A tuple of numbers. */
  public void tuple(long... values) {
    if (values.length == 0) {
      put(Opcode.EMPTY_TUPLE);
      return;
    }
    mark();
    for (long value : values) {
      number(value);
    }
    endTuple();
  }

  /** Begins a sequence of values. */
  public void mark() {
    put(Opcode.MARK);
  }

  /** Makes a tuple of all since the mark. */
  public void endTuple() {
    put(Opcode.TUPLE);
  }

  /** Puts keys and values since the mark into the dict before it. */
  public void setItems() {
    put(Opcode.SETITEMS);
  }

  /** Calls the global before the tuple. */
  public void call() {
    put(Opcode.REDUCE);
  }

  /** False. */
  public void no() {
    put(Opcode.NEWFALSE);
  }

  /** Makes the tuple before a reference to something outside the pickle. */
  public void persistent() {
    put(Opcode.BINPERSID);
  }

  /** Ends the pickle: its bytes. */
  public byte[] stop() {
    put(Opcode.STOP);
    return out.toByteArray();
  }
}
