package bridge.data;

import static bridge.data.SampleFiles.jpeg;
import static bridge.data.SampleFiles.plain;
import static bridge.data.SampleFiles.write;
import static java.awt.image.BufferedImage.TYPE_BYTE_GRAY;
import static java.awt.image.BufferedImage.TYPE_INT_RGB;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TinyImageNetTest extends ImagesOnDisk {
  private static final byte[] GREY = jpeg(plain(64, 64, TYPE_BYTE_GRAY, 0x707070));
  private static final byte[] COLOUR = jpeg(plain(64, 64, TYPE_INT_RGB, 0x707070));

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Three classes, whose order in wnids.txt is not the sorted one. */
  private static Map<String, byte[]> files() {
    Map<String, byte[]> files = new LinkedHashMap<>();
    String top = "tiny-imagenet-200/";
    files.put(top + "wnids.txt", text("n03\nn01\nn02\n"));
    for (String id : List.of("n03", "n01", "n02")) {
      files.put(top + "train/%s/%s_boxes.txt".formatted(id, id), text("x"));
      files.put(top + "train/%s/images/%s_0.JPEG".formatted(id, id), COLOUR);
      files.put(top + "train/%s/images/%s_1.JPEG".formatted(id, id), GREY);
    }
    String annotations = "val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn03\t1\t1\t8\t8\n";
    files.put(top + "val/val_annotations.txt", text(annotations));
    files.put(top + "val/images/val_0.JPEG", GREY);
    files.put(top + "val/images/val_1.JPEG", COLOUR);
    files.put(top + "test/images/test_0.JPEG", COLOUR);
    return files;
  }

  private void unpack(Map<String, byte[]> files) {
    files.forEach((name, content) -> write(folder.resolve(name), content));
  }

  private static ImageSet load(Path place, Split split) {
    return DataSpec.parse("tiny-imagenet:" + place).load(split);
  }

  private void assertSample(Path place) {
    try (ImageSet train = load(place, Split.TRAIN);
        ImageSet test = load(place, Split.TEST)) {
      assertEquals("tiny-imagenet train [6, 3, 64, 64]", train.toString());
      assertEquals(List.of("n01", "n02", "n03"), train.classNames());
      assertArrayEquals(new int[] {0, 0, 1, 1, 2, 2}, SampleFiles.labels(train));
      assertArrayEquals(new int[] {1, 2}, SampleFiles.labels(test));
      byte[] pixels = SampleFiles.pixels(test);
      int plane = 64 * 64;
      byte[] red = Arrays.copyOf(pixels, plane); // of the grey image
      assertArrayEquals(red, Arrays.copyOfRange(pixels, plane, 2 * plane));
      assertArrayEquals(red, Arrays.copyOfRange(pixels, 2 * plane, 3 * plane));
    }
  }

  @Test
  void folderIsReadInSortedClassOrder() {
    unpack(files());
    assertSample(folder);
    assertSample(folder.resolve("tiny-imagenet-200"));
  }

  @Test
  void zipIsReadWithoutUnpacking() {
    write(folder.resolve("tiny-imagenet-200.zip"), SampleFiles.zip(files()));
    assertSample(folder.resolve("tiny-imagenet-200.zip"));
    assertSample(folder);
    assertEquals(1, folder.toFile().list().length);
  }

  @Test
  void validationFoldersByClassAreRead() {
    Map<String, byte[]> files = files();
    files.keySet().removeIf(name -> name.contains("/val/"));
    files.put("tiny-imagenet-200/val/n03/images/val_0.JPEG", GREY);
    files.put("tiny-imagenet-200/val/n01/val_1.JPEG", GREY);
    unpack(files);
    try (ImageSet test = load(folder, Split.TEST)) {
      assertArrayEquals(new int[] {0, 2}, SampleFiles.labels(test));
    }
  }

  @Test
  void annotationsMustNameImagesAndClassesThatAreThere() {
    for (String line :
        List.of("val_0.JPEG\tn09", "val_0.JPEG", "../x.JPEG\tn01", "val_7.JPEG\tn01")) {
      Map<String, byte[]> files = files();
      files.put(
          "tiny-imagenet-200/val/val_annotations.txt", text("val_1.JPEG\tn01\t0\n" + line + "\n"));
      unpack(files);
      var e = assertThrows(DataException.class, () -> load(folder, Split.TEST));
      assertTrue(e.getMessage().contains("in line 2"), e.getMessage());
    }
  }

  @Test
  void damagedAndHostileArchivesAreRefused() {
    byte[] whole = SampleFiles.zip(files());
    Map<String, byte[]> hostile = files();
    hostile.put("../../outside.JPEG", GREY);
    for (byte[] bad :
        List.of(
            new byte[100],
            Arrays.copyOf(whole, whole.length - 30),
            Arrays.copyOf(whole, whole.length / 2),
            SampleFiles.zip(hostile))) {
      for (String name : List.of("a.zip", "a.dat")) {
        Path file = folder.resolve(name);
        write(file, bad);
        var e = assertThrows(DataException.class, () -> load(file, Split.TRAIN));
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        assertEquals(1, e.getMessage().lines().count());
      }
    }
  }

  @Test
  void anotherFolderIsTheUsersError() {
    assertThrows(UsageException.class, () -> load(folder, Split.TRAIN));
  }
}
