package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Streams of numbers that a resumed run finds again. */
class SeedsTest {

  /** Worked out apart from this program; another value would change every run. */
  @Test
  void valuesStayAsTheyWere() {
    assertEquals(0xe220a8397b1dcdafL, new Seeds(0).derive(""));
    assertEquals(0x1886ef3e1d8de60fL, new Seeds(1).derive("init"));
    assertEquals(0x8f9df6d6e7cfdbc9L, new Seeds(1).derive("attack", 0));
    assertEquals(0xbbe38c0ea01d72bcL, new Seeds(1).derive("attack", 7));
    assertEquals(0xee96f1ce9463da16L, new Seeds(-5).derive("shuffle", 3, 4));
  }

  @Test
  void everySeedStreamAndPositionIsDifferent() {
    Set<Long> seen = new HashSet<>();
    int derived = 0;
    for (long seed = 0; seed < 20; seed++) {
      for (String stream : new String[] {"", "init", "shuffle", "augment", "attack", "a", "ab"}) {
        seen.add(new Seeds(seed).derive(stream));
        derived++;
        for (long position = 0; position < 500; position++) {
          seen.add(new Seeds(seed).derive(stream, position));
          seen.add(new Seeds(seed).derive(stream, position, 0));
          derived += 2;
        }
      }
    }
    assertEquals(derived, seen.size());
  }

  @Test
  void theOrderOfPositionsMatters() {
    Seeds seeds = new Seeds(3);
    assertNotEquals(seeds.derive("augment", 1, 2), seeds.derive("augment", 2, 1));
    assertNotEquals(seeds.derive("ab"), seeds.derive("ba"));
  }

  @Test
  void neighboursDifferInHalfOfTheirBits() {
    Seeds seeds = new Seeds(1);
    long flipped = 0;
    int pairs = 2000;
    for (int i = 0; i < pairs; i++) {
      flipped += Long.bitCount(seeds.derive("attack", i) ^ seeds.derive("attack", i + 1));
    }
    assertEquals(32, (double) flipped / pairs, 0.5); // a deviation is 4 / √2000
  }
}
