package bridge.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Natives;
import bridge.torch.Scope;
import java.io.IOException;
import java.util.Arrays;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Batches: errors, threads and memory. */
class BatchesLifetimeTest extends NoiseBatchesTest {
  @Test
  void fillersErrorReachesTheCaller() {
    ImageSet closed = images(PIXELS, SIZE);
    try (Batches batches = Batches.over(closed, ALL).batchSize(4).build();
        Scope _ = Scope.open("test")) {
      closed.close();
      Batches.Epoch epoch = batches.epoch(1, 0);
      assertThrows(IllegalStateException.class, epoch::next);
    }
  }

  @Test
  void wrongUseIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> Batches.over(set, new int[] {SIZE}));
    assertThrows(IllegalArgumentException.class, () -> Batches.over(set, new int[] {-1}));
    assertThrows(IllegalArgumentException.class, () -> batches().batchSize(0));
    Batches batches = batches().build();
    try (Scope _ = Scope.open("test")) {
      assertThrows(IllegalArgumentException.class, () -> batches.epoch(1, 7));
      assertThrows(NoSuchElementException.class, () -> batches.epoch(1, 6).next());
      assertThrows(IllegalStateException.class, () -> closed(batches.epoch(1, 0)).next());
    }
    batches.close();
    batches.close();
    assertThrows(IllegalStateException.class, () -> batches.epoch(1, 0));
  }

  private static Batches.Epoch closed(Batches.Epoch epoch) {
    epoch.close();
    return epoch;
  }

  @Test
  void interruptedCallerStillGetsItsBatchAndStaysInterrupted() {
    try (Batches batches = batches().build();
        Scope _ = Scope.open("test")) {
      Thread.currentThread().interrupt();
      Batch batch = batches.epoch(1, 0).next();
      assertTrue(Thread.interrupted());
      assertArrayEquals(expected(0, 0, 0, 0, false), Arrays.copyOf(batch.images().toFloats(), 70));
    }
  }

  @Test
  void noTensorAndNoThreadStays() {
    take(batches(), 1, 0);
    long alive = Scope.alive();
    try (Batches batches = batches().build()) {
      for (int epoch = 1; epoch < 20; epoch++) {
        take(batches, epoch, 0);
      }
    }
    assertEquals(alive, Scope.alive());
    assertFalse(
        Thread.getAllStackTraces().keySet().stream()
            .anyMatch(thread -> thread.getName().startsWith("bridge-batches-")));
  }

  @Test
  void buffersAreFreedOnClose() throws IOException {
    byte[] content = new byte[2000 * CHANNELS * HEIGHT * WIDTH];
    int[] many = IntStream.range(0, 2000).toArray();
    long before = 0;
    for (int round = 0; round < 220; round++) { // each holds 1.5 MB while it is open
      try (ImageSet images = images(content, 2000);
          Batches batches = Batches.over(images, many).batchSize(2000).build()) {
        take(batches, 1, 0);
      }
      before = round == 20 ? Natives.residentBytes() : before;
    }
    long grown = Natives.residentBytes() - before;
    assertTrue(grown < 100L << 20, "grew by " + grown + " bytes");
  }
}
