package bridge.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The images that the program carries. */
class EmbeddedImagesTest {
  private static final DataSpec MINI = DataSpec.parse("fashion-mnist-mini");

  @ParameterizedTest
  @EnumSource(Split.class)
  void everyClassHasTheSameNumber(Split split) {
    try (ImageSet set = MINI.load(split)) {
      int[] counts = new int[set.classes()];
      for (int label : SampleFiles.labels(set)) {
        counts[label]++;
      }
      assertEquals(10, counts.length);
      for (int count : counts) {
        assertEquals(split == Split.TRAIN ? 500 : 100, count);
      }
      assertEquals("Ankle boot", set.classNames().getLast());
      assertEquals(28, set.height());
      assertEquals(28, set.width());
    }
  }

  @ParameterizedTest
  @EnumSource(Split.class)
  void everyImageIsOneOfThePublishedOnce(Split split) {
    assumeTrue(
        Files.isDirectory(Path.of("/usr/share/datasets/fashion-mnist")),
        "needs Debian's dataset-fashion-mnist");
    try (ImageSet mini = MINI.load(split);
        ImageSet whole = DataSpec.parse("fashion-mnist").load(split)) {
      Map<ByteBuffer, Set<Integer>> labels = new HashMap<>();
      for (int i = 0; i < whole.size(); i++) {
        labels.computeIfAbsent(image(whole, i), _ -> new HashSet<>()).add(whole.label(i));
      }
      Set<ByteBuffer> seen = new HashSet<>();
      for (int i = 0; i < mini.size(); i++) {
        ByteBuffer image = image(mini, i);
        assertTrue(labels.getOrDefault(image, Set.of()).contains(mini.label(i)), "image " + i);
        assertTrue(seen.add(image), "image " + i + " is there twice");
      }
    }
  }

  private static ByteBuffer image(ImageSet set, int i) {
    return ByteBuffer.wrap(set.pixels().bytes(i * set.imageBytes(), (int) set.imageBytes()));
  }

  @Test
  void licenceLiesBesideThem() {
    assertNotNull(DataSpec.class.getResource("fashion-mnist-mini/LICENSE.txt"));
  }
}
