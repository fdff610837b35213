package bridge.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.torch.Memory;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Batches of a small set of noise, and copies of them. */
abstract class NoiseBatchesTest {
  static final int SIZE = 23;
  static final int CHANNELS = 2;
  static final int HEIGHT = 5;
  static final int WIDTH = 7;
  static final int[] ALL = IntStream.range(0, SIZE).toArray();
  static final Augment AUGMENT = new Augment(3, true);
  static final byte[] PIXELS = SampleFiles.noise(SIZE * CHANNELS * HEIGHT * WIDTH, 5);

  ImageSet set;

  @BeforeEach
  void makeSet() {
    set = images(PIXELS, SIZE);
  }

  @AfterEach
  void freeSet() {
    set.close();
  }

  static ImageSet images(byte[] content, int count) {
    Memory pixels = Memory.allocate(content.length);
    pixels.copyFrom(content, 0, 0, content.length);
    int[] labels = IntStream.range(0, count).map(i -> i % 3).toArray();
    return new ImageSet("sample", CHANNELS, HEIGHT, WIDTH, List.of("a", "b", "c"), pixels, labels);
  }

  Batches.Builder batches() {
    return Batches.over(set, ALL).batchSize(4).seeds(new Seeds(7));
  }

  /** A batch, copied out of native memory. */
  record Copy(int step, List<Integer> indices, List<Long> labels, float[] images) {}

  static List<Copy> take(Batches batches, int epoch, int firstStep) {
    List<Copy> copies = new ArrayList<>();
    try (Batches.Epoch pass = batches.epoch(epoch, firstStep)) {
      while (pass.hasNext()) {
        try (Scope _ = Scope.open("test")) {
          Batch b = pass.next();
          assertArrayEquals(
              new long[] {b.indices().length, CHANNELS, HEIGHT, WIDTH}, b.images().sizes());
          copies.add(
              new Copy(
                  b.step(),
                  Arrays.stream(b.indices()).boxed().toList(),
                  Arrays.stream(b.labels().toLongs()).boxed().toList(),
                  b.images().toFloats()));
        }
      }
    }
    return copies;
  }

  static List<Copy> take(Batches.Builder builder, int epoch, int firstStep) {
    try (Batches batches = builder.build()) {
      return take(batches, epoch, firstStep);
    }
  }

  static void assertSame(List<Copy> expected, List<Copy> found) {
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i).step, found.get(i).step);
      assertEquals(expected.get(i).indices, found.get(i).indices);
      assertEquals(expected.get(i).labels, found.get(i).labels);
      assertArrayEquals(expected.get(i).images, found.get(i).images);
    }
  }

  static List<Integer> indices(List<Copy> copies) {
    return copies.stream().flatMap(copy -> copy.indices.stream()).toList();
  }

  /** Image {@code i} cropped and mirrored in the plainest way: via a padded copy. */
  static float[] expected(int i, int pad, int top, int left, boolean mirrored) {
    float[] result = new float[CHANNELS * HEIGHT * WIDTH];
    for (int c = 0; c < CHANNELS; c++) {
      float[][] padded = new float[HEIGHT + 2 * pad][WIDTH + 2 * pad];
      for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
          int at = ((i * CHANNELS + c) * HEIGHT + y) * WIDTH + x;
          padded[y + pad][x + pad] = (PIXELS[at] & 0xff) / 255f;
        }
      }
      for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
          int column = mirrored ? WIDTH - 1 - x : x;
          result[(c * HEIGHT + y) * WIDTH + x] = padded[y + top][column + left];
        }
      }
    }
    return result;
  }

  static float[] image(Copy batch, int i) {
    int length = CHANNELS * HEIGHT * WIDTH;
    return Arrays.copyOfRange(batch.images, i * length, (i + 1) * length);
  }
}
