package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Bytes outside the heap are the tensors' storage, and nothing outside them is touched. */
class MemoryTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static void assertOutside(Executable what) {
    assertThrows(IndexOutOfBoundsException.class, what);
  }

  @Test
  void aMappedFileIsTheTensorsStorage(@TempDir Path folder) throws IOException {
    byte[] bytes = {9, 9, 9, 9, 0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40}; // 1 and 2 from byte 4 on
    Path file = Files.write(folder.resolve("numbers"), bytes);
    try (Memory mapped = Memory.map(file)) {
      assertEquals(12, mapped.size());
      Tensor t = Tensor.of(mapped, 4, DType.FLOAT32, 2);
      assertEquals(mapped.address() + 4, t.memory().address());
      assertArrayEquals(new float[] {1, 2}, t.toFloats());
      assertArrayEquals(new long[] {9, 9}, Tensor.of(mapped, 1, DType.UINT8, 2).toLongs());
    }
  }

  @Test
  void aMappedFileIsNotWrittenTo(@TempDir Path folder) throws IOException {
    Path file = Files.write(folder.resolve("numbers"), new byte[8]);
    try (Memory mapped = Memory.map(file)) {
      assertThrows(RuntimeException.class, () -> mapped.setByte(0, 1));
    }
    assertArrayEquals(new byte[8], Files.readAllBytes(file));
  }

  @Test
  void anEmptyFileHasNoBytes(@TempDir Path folder) throws IOException {
    try (Memory mapped = Memory.map(Files.createFile(folder.resolve("empty")))) {
      assertEquals(0, mapped.size());
      assertOutside(() -> mapped.getUByte(0));
      assertOutside(() -> Tensor.of(mapped, 0, DType.UINT8, 1));
    }
  }

  @Test
  void aFileThatIsNotThereIsAnIoException(@TempDir Path folder) {
    assertThrows(NoSuchFileException.class, () -> Memory.map(folder.resolve("none")));
  }

  @Test
  void writesShowInTheTensorAndTheTensorsInTheMemory() {
    try (Memory block = Memory.allocate(16)) {
      Tensor t = Tensor.of(block, 0, DType.FLOAT32, 2, 2);
      assertArrayEquals(new float[4], t.toFloats());
      block.setFloat(4, 2.5f);
      block.setFloat(12, -1);
      assertArrayEquals(new float[] {0, 2.5f, 0, -1}, t.toFloats());
      t.mul_(2);
      assertEquals(5, Float.intBitsToFloat(block.getInt(4)));
      assertEquals(0, block.address() % 64);
    }
  }

  @Test
  void numbersAreLittleEndian() {
    try (Memory block = Memory.allocate(16)) {
      block.setLong(1, 0x0102030405060708L);
      assertEquals(8, block.getUByte(1));
      assertEquals(0x05060708, block.getInt(1));
      assertEquals(0x0102030405060708L, block.getLong(1));
      block.setByte(3, 255);
      assertEquals(255, block.getUByte(3));
    }
  }

  @Test
  void positionsOutsideAreRefused() {
    try (Memory block = Memory.allocate(8);
        Memory other = Memory.allocate(8)) {
      assertOutside(() -> block.getUByte(8));
      assertOutside(() -> block.getUByte(-1));
      assertOutside(() -> block.getInt(5));
      assertOutside(() -> block.setFloat(6, 1));
      assertOutside(() -> block.getLong(Long.MAX_VALUE));
      assertOutside(() -> block.fill(4, 5, 0));
      assertOutside(() -> block.copyFrom(other, 4, 0, 5));
      assertOutside(() -> block.copyFrom(new byte[9], 0, 0, 9));
      assertOutside(() -> block.bytes(7, 2));
    }
  }

  @Test
  void tensorsOutsideAreRefused() {
    try (Memory block = Memory.allocate(16)) {
      assertOutside(() -> Tensor.of(block, 0, DType.FLOAT32, 5));
      assertOutside(() -> Tensor.of(block, 4, DType.FLOAT32, 4));
      assertOutside(() -> Tensor.of(block, -4, DType.FLOAT32, 1));
      assertOutside(() -> Tensor.of(block, Long.MAX_VALUE, DType.FLOAT32, 4));
      assertOutside(() -> Tensor.of(block, Long.MAX_VALUE - 8, DType.UINT8, 16));
      assertThrows(
          ArithmeticException.class,
          () -> Tensor.of(block, 0, DType.FLOAT64, Long.MAX_VALUE / 4, 1));
      assertThrows(
          ArithmeticException.class, () -> Tensor.of(block, 0, DType.UINT8, 1L << 32, 1L << 32));
      assertThrows(NativeException.class, () -> Tensor.of(block, 0, DType.UINT8, -2, -2));
    }
  }

  @Test
  void copies() {
    try (Memory block = Memory.allocate(8);
        Memory other = Memory.allocate(4)) {
      other.copyFrom(new byte[] {0, 1, 2, 3, 4}, 1, 0, 4);
      block.copyFrom(other, 1, 5, 3);
      block.fill(0, 2, 7);
      assertArrayEquals(new byte[] {7, 7, 0, 0, 0, 2, 3, 4}, block.bytes(0, 8));
      assertEquals(3, block.buffer(6, 2).get(0));
    }
  }

  @Test
  void closingTwiceDoesNothing() {
    Memory block = Memory.allocate(8);
    block.close();
    block.close();
  }

  @Test
  void afterClosingAllUseIsRefused() {
    Memory block = Memory.allocate(8);
    block.close();
    assertThrows(IllegalStateException.class, () -> block.getUByte(0));
    assertThrows(IllegalStateException.class, () -> block.setLong(0, 1));
    assertThrows(IllegalStateException.class, () -> Tensor.of(block, 0, DType.UINT8, 8));
  }

  @Test
  void otherThreadsMayReadAndClose() throws InterruptedException {
    Memory block = Memory.allocate(8);
    Thread.ofPlatform().start(() -> block.setByte(0, 3)).join();
    assertEquals(3, block.getUByte(0));
    Thread.ofPlatform().start(block::close).join();
    assertThrows(IllegalStateException.class, () -> block.getUByte(0));
  }

  @Test
  void pinnedMemoryIsMemory() {
    try (Memory block = Memory.pinned(8)) {
      assertTrue(block.size() >= 8);
      block.setLong(0, 5);
      assertArrayEquals(new long[] {5}, Tensor.of(block, 0, DType.INT64, 1).toLongs());
    }
  }

  @Test
  void aTensorTellsItsOwnBytes() {
    Tensor t = Tensor.of(new long[] {1, 2, 3, 4}, 2, 2);
    assertEquals(32, t.memory().size());
    assertEquals(3, t.memory().getLong(16));
    assertEquals(2, t.select(0, 1).memory().getLong(0) - 1);
    assertEquals(0, Tensor.of(new float[0], 0).memory().size());
    assertThrows(IllegalStateException.class, () -> t.transpose(0, 1).memory());
  }
}
