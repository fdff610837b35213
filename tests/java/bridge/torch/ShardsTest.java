package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class ShardsTest extends ScopedTest {
  private int before;

  @BeforeEach
  void twoThreads() {
    before = Natives.threads();
    Natives.setThreads(2);
  }

  @AfterEach
  void asManyAsBefore() {
    Natives.setThreads(before);
  }

  private static List<String> parts(long images, int size) {
    List<String> parts = Collections.synchronizedList(new ArrayList<>());
    Shards.run(images, size, (first, count) -> parts.add("%02d+%d".formatted(first, count)));
    Collections.sort(parts);
    return parts;
  }

  @Test
  void partsDependOnTheImagesAloneAndCoverThemOnce() {
    List<String> two = parts(11, 4);
    assertEquals(List.of("00+3", "03+4", "07+4"), two);
    assertEquals(List.of("00+4"), parts(4, 4));
    assertEquals(List.of(), parts(0, 4));
    Natives.setThreads(1);
    assertEquals(two, parts(11, 4));
    Natives.setThreads(3);
    assertEquals(two, parts(11, 4));
  }

  @Test
  void eachPartHasOneThreadForAnOperationAndOthersKeepTheirs() {
    Set<Integer> seen = ConcurrentHashMap.newKeySet();
    Set<String> names = ConcurrentHashMap.newKeySet();
    Shards.run(
        8,
        1,
        (_, _) -> {
          // the first operation on a thread must not bring back another number
          Tensor.full(1, DType.FLOAT32, Device.CPU, 64, 64)
              .matmul(Tensor.full(1, DType.FLOAT32, Device.CPU, 64, 64));
          seen.add(Natives.threads());
          names.add(Thread.currentThread().getName());
        });
    assertEquals(Set.of(1), seen);
    assertEquals(Set.of("bridge-shard"), names);
    assertEquals(2, Natives.threads());
  }

  @Test
  void withOneThreadPartsFollowOneAnotherOnTheCallersThread() {
    Natives.setThreads(1);
    Thread caller = Thread.currentThread();
    Shards.run(4, 1, (_, _) -> assertSame(caller, Thread.currentThread()));
  }

  @Test
  void oneThreadForOperationsLeavesPartsTheirs() {
    try (Shards.OneThread _ = Shards.OneThread.enter()) {
      assertEquals(1, Natives.threads());
      Set<Thread> seen = ConcurrentHashMap.newKeySet();
      Shards.run(2, 1, (_, _) -> seen.add(Thread.currentThread()));
      assertTrue(seen.stream().noneMatch(Thread.currentThread()::equals));
      try (Shards.OneThread _ = Shards.OneThread.enter()) {
        assertEquals(1, Natives.threads());
      }
    }
    assertEquals(2, Natives.threads());
  }

  @Test
  void whatAPartThrowsIsTheCallersAfterAllHaveEnded() {
    AtomicInteger ended = new AtomicInteger();
    var e =
        assertThrows(
            IllegalStateException.class,
            () ->
                Shards.run(
                    8,
                    1,
                    (first, _) -> {
                      ended.incrementAndGet();
                      if (first == 2) {
                        throw new IllegalStateException("on purpose");
                      }
                    }));
    assertEquals("on purpose", e.getMessage());
    assertEquals(8, ended.get());
  }

  @Test
  void aScopeClosesOnlyWhenThePartsBegunInItAreDone() {
    CountDownLatch go = new CountDownLatch(1);
    AtomicInteger done = new AtomicInteger();
    Thread late =
        Thread.ofPlatform()
            .start(
                () -> {
                  pause();
                  go.countDown();
                });
    try (Scope _ = Scope.open("step")) {
      Tensor x = Tensor.full(3, DType.FLOAT32, Device.CPU, 4, 2);
      Shards.start(
          4,
          1,
          (first, count) -> {
            await(go);
            assertArrayEquals(new float[] {3, 3}, x.narrow(0, first, count).toFloats());
            done.incrementAndGet();
          });
      throw new IllegalStateException("the step fails");
    } catch (IllegalStateException e) {
      assertEquals(4, done.get());
    }
    join(late);
  }

  @Test
  void whatSomebodyWaitsForComesFirst() {
    Natives.setThreads(2);
    List<String> order = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch go = new CountDownLatch(1);
    try (Scope _ = Scope.open("step")) {
      // both threads are held, then four parts lie waiting
      Shards.start(2, 1, (_, _) -> await(go));
      Shards.Pending later = Shards.start(4, 1, (_, _) -> order.add("later"));
      Thread opener =
          Thread.ofPlatform()
              .start(
                  () -> {
                    pause();
                    go.countDown();
                  });
      Shards.run(2, 1, (_, _) -> order.add("urgent"));
      later.await();
      join(opener);
    }
    assertEquals(List.of("urgent", "urgent"), order.subList(0, 2));
    assertEquals(6, order.size());
  }

  private static void pause() {
    try {
      Thread.sleep(100);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
