package bridge.pickle;

import bridge.pickle.Pickled.ByteString;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** A pickle's bytes from front to end, and the account of what they may cost. */
final class PickleInput {
  /** Heap that one pickle may cost, roughly, in bytes: about two million opcodes. */
  private static final long BUDGET = 1 << 28;

  private static final int PER_OPCODE = 128;
  private static final int LONGEST_NUMBER = 255;
  static final int LONGEST_NAME = 1000;
  private static final int WINDOW = 1 << 16;

  private final Source source;
  private final String owner;
  private final long end;
  private long at;
  private long spent;
  private ByteBuffer window = ByteBuffer.allocate(0);
  private long windowStart;

  /**
   * @param owner how messages call the kind of file
   */
  PickleInput(Source source, long start, long end, String owner) {
    this.source = source;
    this.at = start;
    this.end = end;
    this.owner = owner;
  }

  long position() {
    return at;
  }

  int opcode() {
    spend(PER_OPCODE);
    return ubyte();
  }

  int ubyte() {
    long from = skip(1);
    if (from < windowStart || from >= windowStart + window.limit()) {
      window = source.buffer(from, (int) Math.min(WINDOW, end - from));
      windowStart = from;
    }
    return window.get((int) (from - windowStart)) & 0xff;
  }

  /** Little endian. */
  int int32() {
    return ubyte() | ubyte() << 8 | ubyte() << 16 | ubyte() << 24;
  }

  /** As {@link #int32}, without a sign. */
  long uint32() {
    return Integer.toUnsignedLong(int32());
  }

  /** Little endian. */
  long int64() {
    return uint32() | uint32() << 32;
  }

  /** Moves on by {@code bytes}, and says where it was. */
  long skip(long bytes) {
    if (bytes < 0 || bytes > end - at) {
      throw new PickleException("ends too early");
    }
    long was = at;
    at += bytes;
    return was;
  }

  ByteString byteString(long count) {
    return new ByteString(source, skip(count), count);
  }

  String utf8(long count) {
    return new String(copy(count), StandardCharsets.UTF_8);
  }

  private byte[] copy(long count) {
    long from = skip(count);
    spend(2 * count);
    byte[] bytes = new byte[(int) count];
    source.buffer(from, bytes.length).get(bytes);
    return bytes;
  }

  /** A name up to the end of the line. */
  String line() {
    StringBuilder latin1 = new StringBuilder();
    for (int next = ubyte(); next != '\n'; next = ubyte()) {
      if (latin1.length() >= LONGEST_NAME) {
        throw new PickleException("names a global of more than %d bytes".formatted(LONGEST_NAME));
      }
      latin1.append((char) next);
    }
    spend(2L * latin1.length());
    byte[] bytes = latin1.toString().getBytes(StandardCharsets.ISO_8859_1);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** Python's whole numbers of any length: little endian, two's complement. */
  Number whole(int count) {
    if (count > LONGEST_NUMBER) {
      throw new PickleException("holds a number of %d bytes".formatted(count));
    }
    byte[] little = copy(count);
    byte[] big = new byte[little.length];
    for (int i = 0; i < big.length; i++) {
      big[i] = little[big.length - 1 - i];
    }
    BigInteger value = big.length == 0 ? BigInteger.ZERO : new BigInteger(big);
    return value.bitLength() < Long.SIZE ? (Number) value.longValue() : value;
  }

  private void spend(long bytes) {
    spent += bytes;
    if (spent > BUDGET) {
      throw new PickleException("is larger than any %s's".formatted(owner));
    }
  }
}
