package bridge.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Memory;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BatchesTest {
  private static final int SIZE = 23;
  private static final int CHANNELS = 2;
  private static final int HEIGHT = 5;
  private static final int WIDTH = 7;
  private static final int[] ALL = IntStream.range(0, SIZE).toArray();
  private static final Augment AUGMENT = new Augment(3, true);
  private static final byte[] PIXELS = SampleFiles.noise(SIZE * CHANNELS * HEIGHT * WIDTH, 5);

  private ImageSet set;

  @BeforeEach
  void makeSet() {
    set = images(PIXELS, SIZE);
  }

  @AfterEach
  void freeSet() {
    set.close();
  }

  private static ImageSet images(byte[] content, int count) {
    Memory pixels = Memory.allocate(content.length);
    pixels.copyFrom(content, 0, 0, content.length);
    int[] labels = IntStream.range(0, count).map(i -> i % 3).toArray();
    return new ImageSet("sample", CHANNELS, HEIGHT, WIDTH, List.of("a", "b", "c"), pixels, labels);
  }

  private Batches.Builder batches() {
    return Batches.over(set, ALL).batchSize(4).seeds(new Seeds(7));
  }

  /** A batch, copied out of native memory. */
  private record Copy(int step, List<Integer> indices, List<Long> labels, float[] images) {}

  private static List<Copy> take(Batches batches, int epoch, int firstStep) {
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

  private static List<Copy> take(Batches.Builder builder, int epoch, int firstStep) {
    try (Batches batches = builder.build()) {
      return take(batches, epoch, firstStep);
    }
  }

  private static void assertSame(List<Copy> expected, List<Copy> found) {
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i).step, found.get(i).step);
      assertEquals(expected.get(i).indices, found.get(i).indices);
      assertEquals(expected.get(i).labels, found.get(i).labels);
      assertArrayEquals(expected.get(i).images, found.get(i).images);
    }
  }

  private static List<Integer> indices(List<Copy> copies) {
    return copies.stream().flatMap(copy -> copy.indices.stream()).toList();
  }

  /** Image {@code i} cropped and mirrored in the plainest way: via a padded copy. */
  private static float[] expected(int i, int pad, int top, int left, boolean mirrored) {
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

  private static float[] image(Copy batch, int i) {
    int length = CHANNELS * HEIGHT * WIDTH;
    return Arrays.copyOfRange(batch.images, i * length, (i + 1) * length);
  }

  // ---- which images --------------------------------------------------------------------------

  @Test
  void withoutShufflingImagesComeInTheirOrder() {
    List<Copy> copies = take(batches(), 1, 0);
    assertEquals(Arrays.stream(ALL).boxed().toList(), indices(copies));
    assertEquals(List.of(4, 4, 4, 4, 4, 3), copies.stream().map(c -> c.indices.size()).toList());
    assertEquals(List.of(0, 1, 2, 3, 4, 5), copies.stream().map(Copy::step).toList());
    for (Copy copy : copies) {
      for (int i = 0; i < copy.indices.size(); i++) {
        int index = copy.indices.get(i);
        assertEquals(index % 3, copy.labels.get(i));
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
      float[] images = take(batches, 1, 0).getFirst().images;
      for (int i = 0; i < images.length; i++) {
        assertEquals((i & 0xff) / 255f, images[i]);
      }
    }
  }

  @Test
  void lastSmallerBatchIsLeftOutOnRequest() {
    List<Copy> copies = take(batches().dropLast(true), 1, 0);
    assertEquals(5, copies.size());
    assertEquals(20, indices(copies).size());
    assertEquals(0, take(batches().batchSize(24).dropLast(true), 1, 0).size());
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
  void numberOfThreadsChangesNothing() {
    List<Copy> one = take(batches().shuffle(true).augment(AUGMENT), 1, 0);
    for (int threads : new int[] {2, 3, 8}) {
      assertSame(one, take(batches().shuffle(true).augment(AUGMENT).threads(threads), 1, 0));
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
          assertArrayEquals(expected.images, batch.images().toFloats());
        }
      }
    }
  }

  // ---- augmentation --------------------------------------------------------------------------

  @Test
  void cropsAndFlipsAreExact() {
    Seeds seeds = new Seeds(7);
    for (int epoch = 1; epoch <= 40; epoch++) {
      for (Copy copy : take(batches().augment(AUGMENT), epoch, 0)) {
        for (int i = 0; i < copy.indices.size(); i++) {
          int index = copy.indices.get(i);
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
      for (int i = 0; i < copy.indices.size(); i++) {
        int index = copy.indices.get(i);
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
            take(builder, 1, 0).getFirst().images, take(builder, 2, 0).getFirst().images));
  }

  // ---- errors and lifetimes ------------------------------------------------------------------

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
    assertThrows(IllegalArgumentException.class, () -> batches().threads(0));
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
    try (Batches batches = batches().threads(2).build()) {
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
      before = round == 20 ? residentBytes() : before;
    }
    long grown = residentBytes() - before;
    assertTrue(grown < 100L << 20, "grew by " + grown + " bytes");
  }

  private static long residentBytes() throws IOException {
    String pages = Files.readString(Path.of("/proc/self/statm")).split(" ")[1];
    return Long.parseLong(pages) * 4096;
  }
}
