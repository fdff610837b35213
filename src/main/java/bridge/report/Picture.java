package bridge.report;

import bridge.files.FileException;
import bridge.files.WholeFile;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;

/**
 * A sheet of images as a PNG: rows such as clean, adversarial and their difference, and below each
 * image what the students predict.
 *
 * <p>Drawn at two pixels per point, for sharp text. Needs no display, but fonts: without any on the
 * machine it throws {@link ReportException}.
 */
public final class Picture {
  private static final int SCALE = 2;
  private static final int IMAGE = 112;
  private static final int GAP = 14;
  private static final int MARGIN = 22;
  private static final int LINE = 16;
  private static final int MARK = 8;

  private static final Color PAPER = Color.WHITE;
  private static final Color INK = new Color(0x1f2328);
  private static final Color FAINT = new Color(0x59636e);
  private static final Color FRAME = new Color(0xd1d9e0);
  private static final Color RIGHT = new Color(0x1a7f37);
  private static final Color WRONG = new Color(0xcf222e);

  static {
    if (System.getProperty("java.awt.headless") == null) {
      System.setProperty("java.awt.headless", "true");
    }
  }

  /**
   * What a student predicts for an image.
   *
   * @param confidence its probability for that label, in [0, 1]
   * @param right whether that is the image's true label
   */
  public record Prediction(String label, double confidence, boolean right) {}

  /**
   * A student's predictions on a row's images.
   *
   * @param student its name, written left of them
   */
  public record Predictions(String student, List<Prediction> predictions) {}

  /**
   * Images side by side.
   *
   * @param name written left of them
   * @param images [N][C][H][W] in [0, 1], with one channel (grey) or three (red, green, blue)
   * @param predictions one line below the images per student; may be empty
   */
  public record Row(String name, float[][][][] images, List<Predictions> predictions) {
    public Row {
      for (float[][][] image : images) {
        if (image.length != 1 && image.length != 3) {
          throw new IllegalArgumentException("1 or 3 channels expected, found " + image.length);
        }
      }
      for (Predictions line : predictions) {
        if (line.predictions.size() != images.length) {
          throw new IllegalArgumentException(
              "%s has %d predictions for %d images"
                  .formatted(line.student, line.predictions.size(), images.length));
        }
      }
    }

    /**
     * The difference of two rows: grey where they are equal, white where {@code to} is brighter by
     * {@code epsilon}, black where it is darker by as much.
     */
    public static Row difference(
        String name, float[][][][] from, float[][][][] to, double epsilon) {
      float[][][][] images = new float[from.length][][][];
      for (int n = 0; n < from.length; n++) {
        images[n] = new float[from[n].length][from[n][0].length][from[n][0][0].length];
        for (int c = 0; c < from[n].length; c++) {
          for (int y = 0; y < from[n][c].length; y++) {
            for (int x = 0; x < from[n][c][y].length; x++) {
              double change = (to[n][c][y][x] - from[n][c][y][x]) / epsilon;
              images[n][c][y][x] = (float) Math.clamp(0.5 + 0.5 * change, 0, 1);
            }
          }
        }
      }
      return new Row(name, images, List.of());
    }
  }

  private final List<Row> rows;
  private final List<String> columns;
  private final Font title = font(Font.BOLD, 15);
  private final Font bold = font(Font.BOLD, 12);
  private final Font text = font(Font.PLAIN, 11);

  /** The graphics of a sheet that has no size yet, to measure text by. */
  private final Graphics2D rule =
      new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();

  /** In points, as all lengths here but those of pictures themselves. */
  private final int cell;

  private final int gutter;

  private Picture(List<String> columns, List<Row> rows) {
    this.columns = columns;
    this.rows = rows;
    this.cell = rows.stream().mapToInt(row -> side(row.images[0]) / SCALE).max().orElseThrow();
    int widest = 0;
    for (Row row : rows) {
      widest = Math.max(widest, width(bold, row.name));
      for (Predictions of : row.predictions) {
        widest = Math.max(widest, width(text, of.student));
      }
    }
    this.gutter = widest + GAP;
  }

  /**
   * Draws a sheet.
   *
   * @param heading above the sheet; may be empty
   * @param columns above each image, for instance its true label; as many as each row has images
   * @return a PNG file's bytes
   * @throws ReportException if the machine has no fonts
   */
  public static byte[] sheet(String heading, List<String> columns, List<Row> rows) {
    for (Row row : rows) {
      if (row.images.length != columns.size() || columns.isEmpty()) {
        throw new IllegalArgumentException(
            "row %s has %d images under %d columns"
                .formatted(row.name, row.images.length, columns.size()));
      }
    }
    needFonts();
    return png(new Picture(columns, rows).draw(heading));
  }

  /**
   * Writes a sheet in one step.
   *
   * @throws FileException if the folder or the disk does not take it
   */
  public static void write(Path file, byte[] png) {
    WholeFile.write(file, png);
  }

  /** Measures a letter, for without fonts AWT throws whatever its inner parts happen to. */
  private static void needFonts() {
    try {
      Graphics2D g = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
      g.getFontMetrics(font(Font.PLAIN, 11)).stringWidth("x");
      g.dispose();
    } catch (RuntimeException | Error e) {
      throw new ReportException(
          "pictures cannot be drawn without fonts; install fontconfig and DejaVu Sans", e);
    }
  }

  static byte[] png(BufferedImage image) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.setUseCache(false);
      ImageIO.write(image, "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // nothing but memory is written to
    }
    return out.toByteArray();
  }

  private BufferedImage draw(String heading) {
    int top = heading.isEmpty() ? 0 : 30;
    int width = 2 * MARGIN + gutter + columns.size() * (cell + GAP) - GAP;
    int height = 2 * MARGIN + top + LINE + 4 - GAP;
    for (Row row : rows) {
      height += height(row) + GAP;
    }
    BufferedImage sheet =
        new BufferedImage(width * SCALE, height * SCALE, BufferedImage.TYPE_INT_RGB);
    Graphics2D g = sheet.createGraphics();
    g.setColor(PAPER);
    g.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    g.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    g.scale(SCALE, SCALE);
    int y = MARGIN;
    if (!heading.isEmpty()) {
      write(g, title, INK, heading, MARGIN, y + 13);
      y += top;
    }
    for (int n = 0; n < columns.size(); n++) {
      String label = fitted(bold, columns.get(n), cell);
      write(g, bold, INK, label, left(n), y + 11);
    }
    y += LINE + 4;
    for (Row row : rows) {
      draw(g, sheet, row, y);
      y += height(row) + GAP;
    }
    g.dispose();
    return sheet;
  }

  private int height(Row row) {
    int lines = row.predictions.isEmpty() ? 0 : row.predictions.size() * LINE + 4;
    return cell + lines;
  }

  private int left(int column) {
    return MARGIN + gutter + column * (cell + GAP);
  }

  private void draw(Graphics2D g, BufferedImage sheet, Row row, int top) {
    write(g, bold, INK, row.name, MARGIN, top + cell / 2 + 4);
    g.setStroke(new BasicStroke(0.5f));
    g.setColor(FRAME);
    for (int n = 0; n < columns.size(); n++) {
      int size = side(row.images[n]);
      int middle = (cell * SCALE - size) / 2;
      g.drawRect(left(n) - 1, top - 1, cell + 1, cell + 1);
      paint(sheet, row.images[n], left(n) * SCALE + middle, top * SCALE + middle);
    }
    int y = top + cell + 4;
    for (Predictions of : row.predictions) {
      write(g, text, FAINT, of.student, MARGIN, y + 12);
      for (int n = 0; n < columns.size(); n++) {
        draw(g, of.predictions.get(n), left(n), y);
      }
      y += LINE;
    }
  }

  private void draw(Graphics2D g, Prediction prediction, int x, int y) {
    g.setColor(prediction.right ? RIGHT : WRONG);
    g.setStroke(new BasicStroke(1.6f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    Path2D mark = new Path2D.Double();
    if (prediction.right) {
      mark.moveTo(x + 0.5, y + 8.5);
      mark.lineTo(x + 3, y + 11);
      mark.lineTo(x + MARK, y + 5);
    } else {
      mark.moveTo(x + 1, y + 5);
      mark.lineTo(x + MARK - 1, y + 11);
      mark.moveTo(x + MARK - 1, y + 5);
      mark.lineTo(x + 1, y + 11);
    }
    g.draw(mark);
    String percent = " %d %%".formatted(Math.round(100 * prediction.confidence));
    int room = cell - MARK - 4 - width(text, percent);
    String label = fitted(text, prediction.label, room);
    write(g, text, prediction.right ? RIGHT : WRONG, label + percent, x + MARK + 4, y + 12);
  }

  /** Every pixel becomes a square: nothing is smoothed. */
  private static void paint(BufferedImage sheet, float[][][] image, int left, int top) {
    int pixel = pixel(image);
    for (int y = 0; y < image[0].length; y++) {
      for (int x = 0; x < image[0][y].length; x++) {
        int rgb = 0;
        for (int c = 0; c < 3; c++) {
          float value = image[image.length == 1 ? 0 : c][y][x];
          rgb = rgb << 8 | Math.round(255 * Math.clamp(value, 0f, 1f));
        }
        for (int dy = 0; dy < pixel; dy++) {
          for (int dx = 0; dx < pixel; dx++) {
            sheet.setRGB(left + x * pixel + dx, top + y * pixel + dy, rgb);
          }
        }
      }
    }
  }

  /** The side of an image's pixel on the sheet: whole, so that all are alike. */
  private static int pixel(float[][][] image) {
    int longer = Math.max(image[0].length, image[0][0].length);
    return Math.max(1, Math.round((float) IMAGE * SCALE / longer));
  }

  private static int side(float[][][] image) {
    int side = pixel(image) * Math.max(image[0].length, image[0][0].length);
    return side + side % SCALE;
  }

  private static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }

  private int width(Font font, String text) {
    FontMetrics metrics = rule.getFontMetrics(font);
    return metrics.stringWidth(text);
  }

  /** The text, or as much of its beginning as fits, with an ellipsis. */
  private String fitted(Font font, String text, int room) {
    if (width(font, text) <= room) {
      return text;
    }
    return IntStream.iterate(text.length() - 1, end -> end > 0, end -> end - 1)
        .mapToObj(end -> text.substring(0, end).strip() + "…")
        .filter(shorter -> width(font, shorter) <= room)
        .findFirst()
        .orElse("…");
  }

  private static void write(Graphics2D g, Font font, Color colour, String text, int x, int y) {
    g.setFont(font);
    g.setColor(colour);
    g.drawString(text, x, y);
  }
}
