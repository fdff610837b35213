package bridge.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.torch.Scope;
import bridge.torch.Seeds;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Batches: which images, and in which order. */
class BatchesTest extends NoiseBatchesTest {
  @Test
  void withoutShufflingImagesComeInTheirOrder() {
    List<Copy> copies = take(batches(), 1, 0);
    assertEquals(Arrays.stream(ALL).boxed().toList(), indices(copies));
    assertEquals(List.of(4, 4, 4, 4, 4, 3), copies.stream().map(c -> c.indices().size()).toList());
    assertEquals(List.of(0, 1, 2, 3, 4, 5), copies.stream().map(Copy::step).toList());
    for (Copy copy : copies) {
      for (int i = 0; i < copy.indices().size(); i++) {
        int index = copy.indices().get(i);
        assertEquals(index % 3, copy.labels().get(i));
        assertArrayEquals(expected(index, 0, 0, 0, false), image(copy, i));
      }
    }
  }

  @Test
  void everyLevelIsItsNumberDividedBy255() {
    byte[] levels = new byte[4 * CHANNELS * HEIGHT * WIDTH];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = (byte) i;
    }
    try (ImageSet ramp = images(levels, 4);
        Batches batches = Batches.over(ramp, new int[] {0, 1, 2, 3}).build()) {
      float[] images = take(batches, 1, 0).getFirst().images();
      for (int i = 0; i < images.length; i++) {
        assertEquals((i & 0xff) / 255f, images[i]);
      }
    }
  }

  @Test
  void batchLargerThanTheSetHoldsAllOfIt() {
    assertEquals(1, take(batches().batchSize(Integer.MAX_VALUE), 1, 0).size());
  }

  @Test
  void shufflingShowsEveryImageOnceInAnotherOrderEachEpoch() {
    try (Batches batches = batches().shuffle(true).build()) {
      List<Integer> first = indices(take(batches, 1, 0));
      List<Integer> second = indices(take(batches, 2, 0));
      assertEquals(Arrays.stream(ALL).boxed().toList(), first.stream().sorted().toList());
      assertEquals(Arrays.stream(ALL).boxed().toList(), second.stream().sorted().toList());
      assertNotEquals(first, second);
      assertEquals(first, indices(take(batches, 1, 0)));
    }
    assertNotEquals(
        indices(take(batches().shuffle(true), 1, 0)),
        indices(take(batches().shuffle(true).seeds(new Seeds(8)), 1, 0)));
  }

  @Test
  void everyOrderIsEquallyLikely() {
    int[] counts = new int[6];
    for (int seed = 0; seed < 6000; seed++) {
      int[] order = Order.shuffled(new int[] {0, 1, 2}, new Seeds(seed).derive("shuffle", 1));
      counts[order[0] * 2 + (order[1] > order[2] ? 1 : 0)]++;
    }
    for (int count : counts) {
      assertEquals(1000, count, 150, Arrays.toString(counts)); // five standard deviations
    }
  }

  @Test
  void subsetsHoldOnlyTheirImages() {
    int[] subset = {4, 9, 2};
    try (Batches batches = Batches.over(set, subset).shuffle(true).batchSize(2).build()) {
      assertEquals(List.of(2, 4, 9), indices(take(batches, 3, 0)).stream().sorted().toList());
    }
  }

  // ---- resuming and threads ------------------------------------------------------------------

  @Test
  void resumedEpochGivesTheSameBatches() {
    Batches.Builder builder = batches().shuffle(true).augment(AUGMENT);
    List<Copy> whole = take(builder, 5, 0);
    for (int step = 0; step <= whole.size(); step++) {
      assertSame(whole.subList(step, whole.size()), take(builder, 5, step));
    }
  }

  @Test
  void abandonedEpochDoesNotDisturbTheNext() {
    Batches.Builder builder = batches().shuffle(true).augment(AUGMENT);
    List<Copy> whole = take(builder, 2, 0);
    try (Batches batches = builder.build();
        Scope _ = Scope.open("test")) {
      for (int taken = 0; taken < 4; taken++) {
        Batches.Epoch abandoned = batches.epoch(1, 0);
        for (int i = 0; i < taken; i++) {
          abandoned.next();
        }
        assertSame(whole, take(batches, 2, 0));
        assertThrows(IllegalStateException.class, abandoned::next);
      }
    }
  }

  @Test
  void batchStaysAsItIsUntilTheNextIsTaken() throws InterruptedException {
    List<Copy> all = take(batches().augment(AUGMENT), 1, 0);
    try (Batches batches = batches().augment(AUGMENT).build();
        Batches.Epoch epoch = batches.epoch(1, 0)) {
      for (Copy expected : all) {
        try (Scope _ = Scope.open("test")) {
          Batch batch = epoch.next();
          Thread.sleep(20); // time enough for the fillers to fill all that is free
          assertArrayEquals(expected.images(), batch.images().toFloats());
        }
      }
    }
  }
}
