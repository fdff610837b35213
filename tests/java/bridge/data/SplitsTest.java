package bridge.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import bridge.torch.Memory;
import bridge.torch.Seeds;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SplitsTest {
  /** 50 images of class 0, 30 of class 1, 20 of class 2, mixed. */
  private final ImageSet set =
      new ImageSet(
          "sample",
          1,
          1,
          1,
          List.of("a", "b", "c", "never"),
          Memory.allocate(100),
          IntStream.range(0, 100).map(i -> i % 10 < 5 ? 0 : i % 10 < 8 ? 1 : 2).toArray());

  @AfterEach
  void free() {
    set.close();
  }

  private int[] heldPerClass(int validation) {
    int[] counts = new int[4];
    for (int i : Splits.of(set, validation, new Seeds(1)).validation()) {
      counts[set.label(i)]++;
    }
    return counts;
  }

  @Test
  void everyClassGivesTheSameShare() {
    assertArrayEquals(new int[] {10, 6, 4, 0}, heldPerClass(20));
    assertArrayEquals(new int[] {50, 30, 20, 0}, heldPerClass(100));
    assertArrayEquals(new int[] {0, 0, 0, 0}, heldPerClass(0));
  }

  @Test
  void roundingStillGivesTheNumberWanted() {
    assertArrayEquals(new int[] {1, 0, 0, 0}, heldPerClass(1));
    assertArrayEquals(new int[] {4, 2, 1, 0}, heldPerClass(7)); // of 3.5, 2.1 and 1.4
    for (int wanted = 0; wanted <= 100; wanted++) {
      assertEquals(wanted, Arrays.stream(heldPerClass(wanted)).sum());
    }
  }

  @Test
  void everyImageIsInOneOfTheTwo() {
    Splits splits = Splits.of(set, 17, new Seeds(3));
    assertEquals(83, splits.training().length);
    int[] all =
        IntStream.concat(Arrays.stream(splits.training()), Arrays.stream(splits.validation()))
            .sorted()
            .toArray();
    assertArrayEquals(IntStream.range(0, 100).toArray(), all);
  }

  @Test
  void onlyTheSeedDecides() {
    Splits one = Splits.of(set, 20, new Seeds(1));
    assertArrayEquals(one.validation(), Splits.of(set, 20, new Seeds(1)).validation());
    assertFalse(Arrays.equals(one.validation(), Splits.of(set, 20, new Seeds(2)).validation()));
  }

  @Test
  void moreThanThereAreIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> Splits.of(set, 101, new Seeds(1)));
    assertThrows(IllegalArgumentException.class, () -> Splits.of(set, -1, new Seeds(1)));
  }
}
