package bridge.data;

import static bridge.data.SampleFiles.gzip;
import static bridge.data.SampleFiles.idxImages;
import static bridge.data.SampleFiles.idxLabels;
import static bridge.data.SampleFiles.noise;
import static bridge.data.SampleFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxFilesTest {
  private static final int[] LABELS = {3, 0, 9};
  private static final byte[] PIXELS = noise(3 * 5 * 4, 1);
  private static final byte[] IMAGES = idxImages(3, 5, 4, PIXELS);

  @TempDir Path folder;

  private void files(String before, String after, byte[] images, byte[] labels) {
    write(Path.of(folder + before + "t10k-images-idx3-ubyte" + after), images);
    write(Path.of(folder + before + "t10k-labels-idx1-ubyte" + after), labels);
  }

  private ImageSet load(String place) {
    return DataSpec.parse("mnist:" + folder + place).load(Split.TEST);
  }

  private void assertSample(ImageSet set) {
    try (set) {
      assertEquals("mnist test [3, 1, 5, 4]", set.toString());
      assertEquals(10, set.classes());
      assertArrayEquals(PIXELS, SampleFiles.pixels(set));
      assertArrayEquals(LABELS, SampleFiles.labels(set));
    }
  }

  private DataException refused(byte[] images, byte[] labels) {
    files("/", "", images, labels);
    return assertThrows(DataException.class, () -> load("").close());
  }

  @Test
  void plainFilesAreRead() {
    files("/", "", IMAGES, idxLabels(LABELS));
    assertSample(load(""));
  }

  @Test
  void gzippedFilesAreRead() {
    files("/", ".gz", gzip(IMAGES), gzip(idxLabels(LABELS)));
    assertSample(load("/"));
  }

  @Test
  void gzipIsRecognisedByContentNotByName() {
    files("/", "", gzip(IMAGES), gzip(idxLabels(LABELS)));
    assertSample(load(""));
  }

  @Test
  void torchvisionsFolderIsFound() {
    files("/MNIST/raw/", "", IMAGES, idxLabels(LABELS));
    assertSample(load(""));
  }

  @Test
  void filesAreFoundByWhatTheirNamesBeginWith() {
    files("/mine-", ".gz", gzip(IMAGES), gzip(idxLabels(LABELS)));
    assertSample(load("/mine"));
    assertSample(load("/mine-"));
  }

  @Test
  void whatIsNotThereIsTheUsersError() {
    assertThrows(UsageException.class, () -> load("/nowhere"));
    var e = assertThrows(UsageException.class, () -> load(""));
    assertTrue(e.getMessage().contains("t10k-images-idx3-ubyte.gz"), e.getMessage());
  }

  @Test
  void everyTruncationIsRefusedInOneLine() {
    for (byte[] whole : new byte[][] {IMAGES, gzip(IMAGES)}) {
      for (int length = 0; length < whole.length; length++) {
        String message = refused(Arrays.copyOf(whole, length), idxLabels(LABELS)).getMessage();
        assertTrue(message.startsWith(folder.toString()), message);
        assertEquals(1, message.lines().count(), message);
      }
    }
  }

  @Test
  void truncationIsToldWithItsByte() {
    var e = refused(Arrays.copyOf(IMAGES, 40), idxLabels(LABELS));
    assertTrue(e.getMessage().contains("is cut off at byte 40 of 76"), e.getMessage());
  }

  @Test
  void absurdCountsAreRefusedBeforeMemoryIsTaken() {
    byte[] images = idxImages(10_000_000, 1024, 1024, PIXELS);
    var few = refused(images, idxLabels(LABELS));
    assertTrue(few.getMessage().contains("10000000 images"), few.getMessage());
    var many = refused(idxImages(3, 1024, 1024, PIXELS), idxLabels(LABELS));
    assertTrue(many.getMessage().contains("which its 76 cannot"), many.getMessage());
    var negative = refused(idxImages(-1, 5, 4, PIXELS), idxLabels(LABELS));
    assertTrue(negative.getMessage().contains("4294967295 images"), negative.getMessage());
  }

  @Test
  void imagesAndLabelsMustBelongTogether() {
    var swapped = refused(idxLabels(LABELS), IMAGES);
    assertTrue(swapped.getMessage().contains("begins with 0x00000803"), swapped.getMessage());
    var fewer = refused(IMAGES, idxLabels(1, 2));
    assertTrue(fewer.getMessage().contains("has 3 images"), fewer.getMessage());
  }

  @Test
  void labelBeyondTheClassesIsToldWithItsByte() {
    var e = refused(IMAGES, idxLabels(0, 10, 1));
    assertTrue(e.getMessage().contains("label 10 at byte 9"), e.getMessage());
  }

  @Test
  void bytesBehindTheEndAreRefused() {
    var e = refused(Arrays.copyOf(IMAGES, IMAGES.length + 1), idxLabels(LABELS));
    assertTrue(e.getMessage().contains("goes on after byte 76"), e.getMessage());
  }
}
