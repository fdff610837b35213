package bridge.data;

import static bridge.data.SampleFiles.jpeg;
import static bridge.data.SampleFiles.plain;
import static bridge.data.SampleFiles.png;
import static bridge.data.SampleFiles.write;
import static java.awt.image.BufferedImage.TYPE_3BYTE_BGR;
import static java.awt.image.BufferedImage.TYPE_BYTE_BINARY;
import static java.awt.image.BufferedImage.TYPE_BYTE_GRAY;
import static java.awt.image.BufferedImage.TYPE_INT_ARGB;
import static java.awt.image.BufferedImage.TYPE_INT_RGB;
import static java.awt.image.BufferedImage.TYPE_USHORT_GRAY;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.DataBufferUShort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ImageFolderTest extends ImagesOnDisk {
  private static final byte[] RED = png(plain(6, 4, TYPE_INT_RGB, 0xff2010));

  private ImageSet load(Split split) {
    return DataSpec.parse("image-folder:" + folder).load(split);
  }

  private void image(String path, byte[] content) {
    write(folder.resolve(path), content);
  }

  /** The first pixel's three channels. */
  private static List<Integer> colour(ImageSet set, int image) {
    long plane = (long) set.height() * set.width();
    return Stream.of(0L, 1L, 2L)
        .map(c -> set.pixels().getUByte(image * set.imageBytes() + c * plane))
        .toList();
  }

  private String refused() {
    String message =
        assertThrows(DataException.class, () -> load(Split.TRAIN).close()).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  @Test
  void classesAreTheSortedFolders() {
    image("train/b/2.png", RED);
    image("train/b/deeper/1.PNG", RED);
    image("train/a/x.png", RED);
    image("train/a/notes.txt", new byte[9]);
    image("train/a/.hidden.png", new byte[9]);
    image("train/.git/x.png", RED);
    image("val/b/x.png", RED);
    try (ImageSet train = load(Split.TRAIN);
        ImageSet test = load(Split.TEST)) {
      assertEquals("image-folder train [3, 3, 4, 6]", train.toString());
      assertEquals(List.of("a", "b"), train.classNames());
      assertArrayEquals(new int[] {0, 1, 1}, SampleFiles.labels(train));
      assertArrayEquals(new int[] {1}, SampleFiles.labels(test));
    }
  }

  @Test
  void everyKindOfImageBecomesRedGreenAndBlue() {
    BufferedImage transparent = plain(6, 4, TYPE_INT_ARGB, 0x00336699);
    BufferedImage grey = plain(6, 4, TYPE_BYTE_GRAY, 0);
    Arrays.fill(((DataBufferByte) grey.getRaster().getDataBuffer()).getData(), (byte) 100);
    BufferedImage deep = new BufferedImage(6, 4, TYPE_USHORT_GRAY);
    Arrays.fill(((DataBufferUShort) deep.getRaster().getDataBuffer()).getData(), (short) 0xc812);
    image("train/a/0.png", RED);
    image("train/a/1.png", png(transparent));
    image("train/a/2.png", png(grey));
    image("train/a/3.png", png(deep));
    image("train/a/4.png", png(plain(6, 4, TYPE_BYTE_BINARY, 0xffffff)));
    image("train/a/5.jpg", jpeg(grey));
    image("train/a/6.jpeg", jpeg(plain(6, 4, TYPE_3BYTE_BGR, 0x808080)));
    try (ImageSet set = load(Split.TRAIN)) {
      assertEquals(List.of(0xff, 0x20, 0x10), colour(set, 0));
      assertEquals(List.of(0x33, 0x66, 0x99), colour(set, 1));
      assertEquals(List.of(100, 100, 100), colour(set, 2));
      assertEquals(List.of(0xc8, 0xc8, 0xc8), colour(set, 3));
      assertEquals(List.of(255, 255, 255), colour(set, 4));
      assertEquals(List.of(100, 100, 100), colour(set, 5));
      assertEquals(List.of(0x80, 0x80, 0x80), colour(set, 6));
    }
  }

  @Test
  void greyWithTransparencyIsGrey() {
    var model =
        new ComponentColorModel(
            ColorSpace.getInstance(ColorSpace.CS_GRAY),
            true,
            false,
            Transparency.TRANSLUCENT,
            DataBuffer.TYPE_BYTE);
    var raster = model.createCompatibleWritableRaster(6, 4);
    for (int i = 0; i < 24; i++) {
      raster.setPixel(i % 6, i / 6, new int[] {90, 200});
    }
    image("train/a/0.png", png(new BufferedImage(model, raster, false, null)));
    try (ImageSet set = load(Split.TRAIN)) {
      assertEquals(List.of(90, 90, 90), colour(set, 0));
    }
  }

  @Test
  void pixelsKeepTheirPlaces() {
    BufferedImage image = new BufferedImage(6, 4, TYPE_INT_RGB);
    for (int i = 0; i < 24; i++) {
      image.setRGB(i % 6, i / 6, i << 16 | (100 + i) << 8 | (200 + i));
    }
    image("train/a/0.png", png(image));
    byte[] expected = new byte[72];
    for (int i = 0; i < 24; i++) {
      expected[i] = (byte) i;
      expected[24 + i] = (byte) (100 + i);
      expected[48 + i] = (byte) (200 + i);
    }
    try (ImageSet set = load(Split.TRAIN)) {
      assertArrayEquals(expected, SampleFiles.pixels(set));
    }
  }

  @Test
  void firstImageOfAnotherSizeIsNamed() {
    byte[] wide = png(plain(7, 4, TYPE_INT_RGB, 0));
    for (int i = 0; i < 30; i++) {
      image("train/a/%02d.png".formatted(i), i == 11 || i == 23 ? wide : RED);
    }
    String message = refused();
    assertTrue(message.contains("11.png has 4×7 pixels, the first image has 4×6"), message);
    assertTrue(message.contains("resize"), message);
  }

  @Test
  void damagedImagesAreNamed() {
    image("train/a/0.png", RED);
    byte[] jpeg = jpeg(plain(6, 4, TYPE_INT_RGB, 0x123456));
    for (byte[] bad :
        List.of(
            new byte[0],
            "no image".getBytes(java.nio.charset.StandardCharsets.US_ASCII),
            Arrays.copyOf(RED, RED.length / 2),
            Arrays.copyOf(jpeg, jpeg.length - 12))) {
      image("train/a/1.png", bad);
      assertTrue(refused().contains("1.png "), refused());
    }
  }

  @Test
  void hugeImagesAreRefusedByTheirHeader() {
    byte[] bomb = RED.clone();
    bomb[16] = 0x00;
    bomb[17] = 0x0f; // a width of a million pixels
    java.util.zip.CRC32 crc = new java.util.zip.CRC32();
    crc.update(bomb, 12, 17);
    for (int i = 0; i < 4; i++) {
      bomb[29 + i] = (byte) (crc.getValue() >>> (24 - 8 * i));
    }
    image("train/a/0.png", bomb);
    assertTrue(refused().contains("expected at most 1024 on a side"), refused());
  }

  @Test
  void testClassesMustBeTrainingClasses() {
    image("train/a/0.png", RED);
    image("test/z/0.png", RED);
    var e = assertThrows(DataException.class, () -> load(Split.TEST).close());
    assertTrue(e.getMessage().contains("z is no class"), e.getMessage());
  }

  @Test
  void missingFoldersAreTheUsersError() throws IOException {
    assertThrows(UsageException.class, () -> load(Split.TRAIN));
    Files.createDirectories(folder.resolve("train"));
    assertThrows(UsageException.class, () -> load(Split.TRAIN));
    Files.createDirectories(folder.resolve("train/a"));
    assertThrows(UsageException.class, () -> load(Split.TRAIN));
    image("train/a/0.png", RED);
    assertThrows(UsageException.class, () -> load(Split.TEST));
  }

  @Test
  void imagesAreDecodedOnce() throws IOException {
    image("train/a/0.png", RED);
    load(Split.TRAIN).close();
    try (Stream<Path> files = Files.list(cache)) {
      List<Path> made = files.toList();
      assertEquals(1, made.size(), made.toString());
      byte[] marked = Files.readAllBytes(made.getFirst());
      marked[0] = 77;
      Files.write(made.getFirst(), marked);
    }
    try (ImageSet set = load(Split.TRAIN)) {
      assertEquals(77, set.pixels().getUByte(0)); // out of the cache, not out of the image
    }
    image("train/a/0.png", png(plain(6, 4, TYPE_INT_RGB, 0x405060)));
    Files.setLastModifiedTime(
        folder.resolve("train/a/0.png"), java.nio.file.attribute.FileTime.fromMillis(1));
    try (ImageSet set = load(Split.TRAIN)) {
      assertEquals(0x40, set.pixels().getUByte(0));
    }
  }

  @Test
  void failureLeavesNothingInTheCache() throws IOException {
    image("train/a/0.png", RED);
    image("train/a/1.png", Arrays.copyOf(RED, 40));
    refused();
    try (Stream<Path> files = Files.list(cache)) {
      assertEquals(List.of(), files.toList());
    }
  }

  @Test
  void cacheThatCannotBeWrittenIsDoneWithout() throws IOException {
    image("train/a/0.png", RED);
    Path file = Files.write(cache.resolve("file"), new byte[1]);
    System.setProperty("bridge.cache", file.resolve("inside").toString());
    try (ImageSet set = load(Split.TRAIN)) {
      assertEquals(List.of(0xff, 0x20, 0x10), colour(set, 0));
    }
  }
}
