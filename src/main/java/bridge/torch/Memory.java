package bridge.torch;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Bytes outside the Java heap: a mapped file or an allocated block, which can be a tensor's storage
 * as it stands ({@link Tensor#of(Memory, long, DType, long...)}), without a copy through Java
 * arrays.
 *
 * <p>Numbers are little endian, positions are in bytes. May be read and written by any thread; a
 * position outside gives an {@link IndexOutOfBoundsException}, use after {@link #close} an {@link
 * IllegalStateException}. A block that backs a tensor must stay open as long as the tensor is used.
 */
public final class Memory implements AutoCloseable {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** What libtorch's own allocator gives, and what its vector loops like best. */
  private static final long ALIGNMENT = 64;

  private static final int CHUNK = 1 << 26;

  private final MemorySegment segment;
  private final AtomicReference<Runnable> release;

  private Memory(MemorySegment segment, Runnable release) {
    this.segment = segment;
    this.release = new AtomicReference<>(release);
  }

  /** A block of zeros of this many bytes. */
  public static Memory allocate(long bytes) {
    Arena arena = Arena.ofShared();
    return new Memory(arena.allocate(Math.max(bytes, 1), ALIGNMENT), arena::close);
  }

  /**
   * A file's bytes, mapped, read only.
   *
   * @throws IOException if the file cannot be opened or mapped
   */
  public static Memory map(Path file) throws IOException {
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return new Memory(
          channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena), arena::close);
    } catch (IOException | RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /** A block that a CUDA device copies from without waiting; plain where there is no CUDA. */
  public static Memory pinned(long bytes) {
    if (Device.cudaDevices() == 0) {
      return allocate(bytes);
    }
    try (Scope _ = Scope.open("pinned")) {
      org.bytedeco.pytorch.Tensor block = Tensor.pinned(bytes);
      block.retainReference(); // beyond the scope, until close
      Memory plain = borrow(block.data_ptr().address(), Math.max(bytes, 1));
      return new Memory(plain.segment, block::releaseReference);
    }
  }

  /** Memory that something else owns, for instance a pinned tensor's. */
  @SuppressWarnings("restricted") // the address and the size are those libtorch just told
  static Memory borrow(long address, long bytes) {
    return new Memory(MemorySegment.ofAddress(address).reinterpret(bytes), null);
  }

  /** How many bytes there are. */
  public long size() {
    return segment.byteSize();
  }

  /** The byte at this offset, from 0 to 255. */
  public int getUByte(long at) {
    return segment.get(ValueLayout.JAVA_BYTE, at) & 0xff;
  }

  /** The 32-bit number at this offset in bytes. */
  public int getInt(long at) {
    return segment.get(INT, at);
  }

  /** The 64-bit number at this offset in bytes. */
  public long getLong(long at) {
    return segment.get(LONG, at);
  }

  /** Writes the lowest 8 bits at this offset. */
  public void setByte(long at, int value) {
    segment.set(ValueLayout.JAVA_BYTE, at, (byte) value);
  }

  /** Writes 64 bits at this offset in bytes. */
  public void setLong(long at, long value) {
    segment.set(LONG, at, value);
  }

  /** Writes a float at this offset in bytes. */
  public void setFloat(long at, float value) {
    segment.set(FLOAT, at, value);
  }

  /** Fills a part with one byte. */
  public void fill(long offset, long bytes, int value) {
    segment.asSlice(offset, bytes).fill((byte) value);
  }

  /** Copies {@code bytes} of {@code from}, from {@code start}, to {@code at} here. */
  public void copyFrom(Memory from, long start, long at, long bytes) {
    MemorySegment.copy(from.segment, start, segment, at, bytes);
  }

  /** Copies all of a Java array to {@code at}. */
  public void copyFrom(byte[] from, int start, long at, int bytes) {
    MemorySegment.copy(from, start, segment, ValueLayout.JAVA_BYTE, at, bytes);
  }

  /** A copy of a part as a Java array; for small parts such as headers. */
  public byte[] bytes(long at, int bytes) {
    return segment.asSlice(at, bytes).toArray(ValueLayout.JAVA_BYTE);
  }

  /** The part as a byte buffer over the same memory, for channels and checksums. */
  public ByteBuffer buffer(long at, int bytes) {
    return segment.asSlice(at, bytes).asByteBuffer();
  }

  /** A part as byte buffers, one behind the other: a buffer holds no more than 2 GiB. */
  public List<ByteBuffer> buffers(long at, long bytes) {
    List<ByteBuffer> buffers = new ArrayList<>();
    for (long done = 0; done < bytes; done += CHUNK) {
      buffers.add(buffer(at + done, (int) Math.min(CHUNK, bytes - done)));
    }
    return buffers;
  }

  /** Lets go of the pages of a mapped file that are in memory; they are read again when needed. */
  public void unload() {
    segment.unload();
  }

  /** Where the bytes begin; as for all access, not after {@link #close}. */
  long address() {
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("this memory is already closed");
    }
    return segment.address();
  }

  /** Frees the block or unmaps the file; a second call does nothing. */
  @Override
  public void close() {
    Runnable once = release.getAndSet(null);
    if (once != null) {
      once.run();
    }
  }
}
