package bridge.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The benchmark's clock, with a clock of ours below it. */
class StageClockTest {
  private static final long SECOND = 1_000_000_000;

  @Test
  void aStageWithinAnotherCountsOnce() {
    Deque<Long> times = new ArrayDeque<>(List.of(10L, 11L, 13L, 17L, 20L, 25L));
    int[] settled = {0};
    StageClock clock = new StageClock(() -> settled[0]++, () -> times.remove() * SECOND);
    try (Stages.Visit _ = clock.enter(Stage.FORWARD)) { // 10
      try (Stages.Visit _ = clock.enter(Stage.TEACHERS)) { // 11
        assertEquals(1, clock.seconds(Stage.FORWARD));
      } // 13
    } // 17
    try (Stages.Visit _ = clock.enter(Stage.TEACHERS)) { // 20
      assertEquals(5, clock.seconds(Stage.FORWARD));
    } // 25
    assertEquals(2 + 5, clock.seconds(Stage.TEACHERS));
    assertEquals(0, clock.seconds(Stage.ATTACK));
    assertEquals(6, settled[0], "waited for the device at every boundary");
    clock.reset();
    assertEquals(0, clock.seconds(Stage.TEACHERS));
  }
}
