package bridge.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import bridge.files.FileException;
import bridge.report.Picture.Prediction;
import bridge.report.Picture.Predictions;
import bridge.report.Picture.Row;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PictureTest {
  private static final int MAGENTA = 0xffff00ff;

  /** The marks' and predictions' colours; smoothed letters and strokes hold some of it pure. */
  private static final int GREEN = 0xff1a7f37;

  private static final int RED = 0xffcf222e;

  @TempDir Path folder;

  @Test
  void everyPixelBecomesASquareWhereItBelongs() throws IOException {
    float[][][] image = new float[3][4][4];
    image[0][1][2] = 1;
    image[2][1][2] = 1;
    BufferedImage sheet = drawn("", List.of(""), new Row("", new float[][][][] {image}, List.of()));
    int side = 224 / 4;
    assertEquals(side * side, count(sheet, MAGENTA));
    int[] corner = find(sheet, MAGENTA);
    assertEquals(MAGENTA, sheet.getRGB(corner[0] + side - 1, corner[1] + side - 1));
    assertEquals(0xff000000, sheet.getRGB(corner[0] - 2 * side, corner[1] - side), "corner of it");
    assertEquals(0xff000000, sheet.getRGB(corner[0] + 2 * side - 1, corner[1] + 3 * side - 1));
    assertEquals(224 * 224 - side * side, count(sheet, 0xff000000));
  }

  @Test
  void sheetGrowsWithColumnsRowsAndStudents() throws IOException {
    BufferedImage one = drawn("", List.of("a"), row("clean", 1, 0));
    BufferedImage wide = drawn("", List.of("a", "b", "c"), row("clean", 3, 0));
    BufferedImage tall = drawn("", List.of("a"), row("clean", 1, 0), row("clean", 1, 2));
    assertEquals(one.getWidth() + 2 * 2 * (112 + 14), wide.getWidth());
    assertEquals(one.getHeight(), wide.getHeight());
    assertTrue(tall.getHeight() > one.getHeight() + 2 * (112 + 2 * 15));
    assertTrue(drawn("heading", List.of("a"), row("clean", 1, 0)).getHeight() > one.getHeight());
  }

  @Test
  void verdictIsGreenIfRightAndRedIfWrong() throws IOException {
    for (boolean right : List.of(true, false)) {
      Predictions says = new Predictions("student", List.of(new Prediction("Bag", 0.9, right)));
      BufferedImage sheet =
          drawn("", List.of("Bag"), new Row("clean", new float[1][1][28][28], List.of(says)));
      assertEquals(right, count(sheet, GREEN) > 0);
      assertEquals(!right, count(sheet, RED) > 0);
    }
  }

  @Test
  void longLabelsStayUnderTheirImage() throws IOException {
    Predictions says =
        new Predictions(
            "s", List.of(new Prediction("a label that is far too long to fit", 1.0, false)));
    BufferedImage sheet =
        drawn("", List.of("bag"), new Row("", new float[1][1][28][28], List.of(says)));
    int rightmost = 0;
    for (int x = 0; x < sheet.getWidth(); x++) {
      for (int y = 0; y < sheet.getHeight(); y++) {
        rightmost = sheet.getRGB(x, y) == RED ? x : rightmost;
      }
    }
    assertTrue(rightmost > 0 && rightmost < sheet.getWidth() - 2 * 22, "ends at " + rightmost);
  }

  @Test
  void differenceIsGreyWhereNothingChanged() {
    float[][][][] from = {{{{0.5f, 0.5f, 0.5f, 0.5f}}}};
    float[][][][] to = {{{{0.5f, 0.6f, 0.4f, 0.55f}}}};
    float[] row = Row.difference("difference", from, to, 0.1).images()[0][0][0];
    assertArrayEquals(new float[] {0.5f, 1, 0, 0.75f}, row, 1e-5f);
    float[] clamped = Row.difference("difference", from, to, 0.01).images()[0][0][0];
    assertArrayEquals(new float[] {0.5f, 1, 0, 1}, clamped);
  }

  @Test
  void whatDoesNotFitTogetherIsRefused() {
    Predictions two =
        new Predictions("s", List.of(new Prediction("a", 1, true), new Prediction("a", 1, true)));
    assertThrows(
        IllegalArgumentException.class,
        () -> new Row("clean", new float[1][1][28][28], List.of(two)));
    assertThrows(
        IllegalArgumentException.class, () -> drawn("", List.of("a", "b"), row("clean", 1, 0)));
    assertThrows(
        IllegalArgumentException.class, () -> new Row("", new float[1][2][28][28], List.of()));
  }

  @Test
  void fileHoldsTheSheet() throws IOException {
    byte[] png = Picture.png(new BufferedImage(5, 4, BufferedImage.TYPE_INT_RGB));
    Path file = folder.resolve("pairs.png");
    Picture.write(file, new byte[7]);
    Picture.write(file, png);
    assertArrayEquals(png, Files.readAllBytes(file));
    assertThrows(FileException.class, () -> Picture.write(folder.resolve("no/pairs.png"), png));
  }

  private static BufferedImage drawn(String heading, List<String> columns, Row... rows)
      throws IOException {
    byte[] png;
    try {
      png = Picture.sheet(heading, columns, List.of(rows));
    } catch (ReportException e) {
      return abort(e.getMessage()); // no fonts on this machine
    }
    return ImageIO.read(new ByteArrayInputStream(png));
  }

  private static Row row(String name, int images, int students) {
    List<Prediction> predictions = Collections.nCopies(images, new Prediction("a", 0.5, true));
    return new Row(
        name,
        new float[images][1][28][28],
        Collections.nCopies(students, new Predictions("student", predictions)));
  }

  private static int[] find(BufferedImage image, int colour) {
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        if (image.getRGB(x, y) == colour) {
          return new int[] {x, y};
        }
      }
    }
    throw new AssertionError("no such pixel");
  }

  private static int count(BufferedImage image, int colour) {
    int count = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        count += image.getRGB(x, y) == colour ? 1 : 0;
      }
    }
    return count;
  }
}
