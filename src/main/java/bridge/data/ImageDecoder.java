package bridge.data;

import bridge.files.Reason;
import bridge.torch.Memory;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/** One PNG or JPEG file to red, green and blue planes of bytes. */
final class ImageDecoder {
  private static final int LARGEST_FILE = 1 << 24;
  private static final int LONGEST_SIDE = 1024;

  private ImageDecoder() {}

  /** In pixels. */
  record Size(int height, int width) {
    @Override
    public String toString() {
      return height + "×" + width;
    }
  }

  /** What is done with an open file. */
  private interface Use<T> {
    T of(ImageReader reader) throws IOException;
  }

  /**
   * The size that the file's header tells.
   *
   * @throws DataException if it is no image or an absurd one
   */
  static Size size(Path file) {
    return open(file, reader -> size(file, reader));
  }

  private static Size size(Path file, ImageReader reader) throws IOException {
    Size size = new Size(reader.getHeight(0), reader.getWidth(0));
    if (size.height() > LONGEST_SIDE || size.width() > LONGEST_SIDE) {
      throw new DataException(
          file, "has %s pixels, expected at most %d on a side".formatted(size, LONGEST_SIDE));
    }
    return size;
  }

  /**
   * Writes [3, H, W] bytes to {@code at}. Grey becomes three equal planes, transparency is left
   * out, as PIL's {@code convert("RGB")} does.
   *
   * @throws DataException if the file is damaged or has another size
   */
  static void decode(Path file, Size expected, Memory to, long at) {
    BufferedImage image =
        open(
            file,
            reader -> {
              Size found = size(file, reader);
              if (!found.equals(expected)) {
                throw new DataException(
                    file,
                    "has %s pixels, the first image has %s; resize them all to one size"
                        .formatted(found, expected));
              }
              return whole(file, reader);
            });
    if (image.getColorModel() instanceof IndexColorModel) {
      palette(image, to, at);
    } else {
      planes(image.getRaster(), to, at);
    }
  }

  /** A JPEG that ends early is only worth a warning to the JDK, and the rest of it grey. */
  private static BufferedImage whole(Path file, ImageReader reader) throws IOException {
    StringBuilder cut = new StringBuilder();
    reader.addIIOReadWarningListener(
        (_, warning) -> {
          if (warning.startsWith("Truncated File")) {
            cut.append(warning);
          }
        });
    BufferedImage image = reader.read(0);
    if (!cut.isEmpty()) {
      throw new DataException(file, "is cut off");
    }
    return image;
  }

  private static <T> T open(Path file, Use<T> use) {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(LARGEST_FILE + 1);
    } catch (IOException e) {
      throw DataException.unreadable(file, e);
    }
    if (bytes.length > LARGEST_FILE) {
      throw new DataException(
          file, "has more than %d bytes, too many for a small image".formatted(LARGEST_FILE));
    }
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
      ImageReader reader = reader(file, in);
      try {
        reader.setInput(in, true, true);
        return use.of(reader);
      } finally {
        reader.dispose();
      }
    } catch (DataException e) {
      throw e;
    } catch (IOException e) {
      throw new DataException(file, "is a damaged image: " + Reason.reading(e).what(), e);
    } catch (RuntimeException e) { // the JDK's readers throw this, too, for bad bytes
      throw new DataException(file, "is a damaged image", e);
    }
  }

  private static ImageReader reader(Path file, ImageInputStream in) throws IOException {
    Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
    while (readers.hasNext()) {
      ImageReader reader = readers.next();
      if (reader.getFormatName().toLowerCase(Locale.ROOT).matches("png|jpe?g")) {
        return reader;
      }
      reader.dispose();
    }
    throw new DataException(file, "is neither a PNG nor a JPEG image");
  }

  /** The samples as they are: getRGB would bend grey by another gamma. */
  private static void planes(Raster raster, Memory to, long at) {
    int pixels = raster.getWidth() * raster.getHeight();
    int bands = raster.getNumBands();
    int[] samples = new int[pixels];
    for (int c = 0; c < 3; c++) {
      int band = bands < 3 ? 0 : c;
      int shift = Math.max(0, raster.getSampleModel().getSampleSize(band) - 8);
      raster.getSamples(0, 0, raster.getWidth(), raster.getHeight(), band, samples);
      for (int i = 0; i < pixels; i++) {
        to.setByte(at + (long) c * pixels + i, samples[i] >>> shift);
      }
    }
  }

  private static void palette(BufferedImage image, Memory to, long at) {
    int pixels = image.getWidth() * image.getHeight();
    int[] rgb = image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
    for (int i = 0; i < pixels; i++) {
      for (int c = 0; c < 3; c++) {
        to.setByte(at + (long) c * pixels + i, rgb[i] >>> (16 - 8 * c) & 0xff);
      }
    }
  }
}
