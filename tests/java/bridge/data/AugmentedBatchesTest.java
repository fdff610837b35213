package bridge.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Seeds;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Batches of cropped and mirrored images. */
class AugmentedBatchesTest extends NoiseBatchesTest {
  @Test
  void cropsAndFlipsAreExact() {
    Seeds seeds = new Seeds(7);
    for (int epoch = 1; epoch <= 40; epoch++) {
      for (Copy copy : take(batches().augment(AUGMENT), epoch, 0)) {
        for (int i = 0; i < copy.indices().size(); i++) {
          int index = copy.indices().get(i);
          Augment.Draw draw = AUGMENT.draw(seeds.derive("augment", epoch, index));
          assertArrayEquals(
              expected(index, 3, draw.down() + 3, draw.right() + 3, draw.mirrored()),
              image(copy, i),
              draw.toString());
        }
      }
    }
  }

  @Test
  void cropNeverLeavesThePaddedImage() {
    Augment wide = new Augment(9, true); // wider than the image: crops may be empty
    for (Copy copy : take(batches().augment(wide), 1, 0)) {
      for (int i = 0; i < copy.indices().size(); i++) {
        int index = copy.indices().get(i);
        Augment.Draw draw = wide.draw(new Seeds(7).derive("augment", 1, index));
        assertArrayEquals(
            expected(index, 9, draw.down() + 9, draw.right() + 9, draw.mirrored()), image(copy, i));
      }
    }
  }

  @Test
  void offsetsAreUniformAndFlipsFair() {
    Augment augment = new Augment(4, true);
    int draws = 81 * 2 * 500;
    int[] counts = new int[81 * 2];
    for (int image = 0; image < draws; image++) {
      Augment.Draw draw = augment.draw(new Seeds(3).derive("augment", 1, image));
      int place = (draw.down() + 4) * 9 + draw.right() + 4;
      counts[place * 2 + (draw.mirrored() ? 1 : 0)]++;
    }
    double chiSquare = Arrays.stream(counts).mapToDouble(c -> (c - 500.0) * (c - 500) / 500).sum();
    // 161 degrees of freedom: mean 161, deviation 18
    assertTrue(chiSquare > 90 && chiSquare < 250, "chi-square " + chiSquare);
  }

  @Test
  void withoutPaddingAndFlipNothingMoves() {
    for (long random : new long[] {0, -1, Long.MIN_VALUE, 12345}) {
      assertEquals(new Augment.Draw(0, 0, false), Augment.NONE.draw(random));
    }
    assertThrows(IllegalArgumentException.class, () -> new Augment(-1, false));
  }

  @Test
  void eachEpochIsAugmentedAnew() {
    Batches.Builder builder = batches().augment(AUGMENT);
    assertFalse(
        Arrays.equals(
            take(builder, 1, 0).getFirst().images(), take(builder, 2, 0).getFirst().images()));
  }
}
