package bridge.data;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.ImageIO;

/** Small files in the exact public formats. */
final class SampleFiles {
  static final int CIFAR_IMAGE = 3072;

  private SampleFiles() {}

  /** Reproducible bytes. */
  static byte[] noise(int count, long seed) {
    byte[] bytes = new byte[count];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** What a writer makes; memory does not fail. */
  interface Content {
    void write(DataOutputStream out) throws IOException;
  }

  static byte[] bytes(Content content) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      content.write(out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  static byte[] gzip(byte[] content) {
    return bytes(
        out -> {
          try (GZIPOutputStream packed = new GZIPOutputStream(out)) {
            packed.write(content);
          }
        });
  }

  static byte[] idxImages(int count, int rows, int columns, byte[] pixels) {
    return bytes(
        out -> {
          for (int number : new int[] {0x803, count, rows, columns}) {
            out.writeInt(number);
          }
          out.write(pixels);
        });
  }

  static byte[] idxLabels(int... labels) {
    return bytes(
        out -> {
          out.writeInt(0x801);
          out.writeInt(labels.length);
          for (int label : labels) {
            out.writeByte(label);
          }
        });
  }

  /** Records of labels (one or two bytes) and pixels. */
  static byte[] cifarBinary(int[][] labels, byte[] pixels) {
    return bytes(
        out -> {
          for (int i = 0; i < labels.length; i++) {
            for (int label : labels[i]) {
              out.writeByte(label);
            }
            out.write(pixels, i * CIFAR_IMAGE, CIFAR_IMAGE);
          }
        });
  }

  static byte[] png(BufferedImage image) {
    return image(image, "png");
  }

  static byte[] jpeg(BufferedImage image) {
    return image(image, "jpg");
  }

  private static byte[] image(BufferedImage image, String format) {
    return bytes(
        out -> {
          if (!ImageIO.write(image, format, out)) {
            throw new IOException("no writer for " + format);
          }
        });
  }

  /** A picture of one colour. */
  static BufferedImage plain(int width, int height, int type, int rgb) {
    BufferedImage image = new BufferedImage(width, height, type);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, rgb);
      }
    }
    return image;
  }

  static void write(Path file, byte[] content) {
    try {
      Files.createDirectories(file.getParent());
      Files.write(file, content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  // ---- archives ------------------------------------------------------------------------------

  /** A tar of plain files, as GNU tar writes short names. */
  static byte[] tar(Map<String, byte[]> members) {
    return bytes(
        out -> {
          for (var member : members.entrySet()) {
            tarMember(out, member.getKey(), '0', member.getValue());
          }
          out.write(new byte[1024]);
        });
  }

  static void tarMember(DataOutputStream out, String name, char type, byte[] content)
      throws IOException {
    out.write(tarHeader(name, type, content.length));
    out.write(content);
    out.write(new byte[-content.length & 511]);
  }

  static byte[] tarHeader(String name, char type, long size) {
    byte[] header = new byte[512];
    put(header, 0, name);
    put(header, 100, "0000644\0");
    put(header, 124, "%011o\0".formatted(size));
    put(header, 136, "00000000000\0");
    put(header, 148, "        ");
    header[156] = (byte) type;
    put(header, 257, "ustar  \0");
    int sum = 0;
    for (byte b : header) {
      sum += b & 0xff;
    }
    put(header, 148, "%06o\0 ".formatted(sum));
    return header;
  }

  private static void put(byte[] header, int at, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(bytes, 0, header, at, bytes.length);
  }

  static byte[] zip(Map<String, byte[]> members) {
    return bytes(
        out -> {
          try (ZipOutputStream zip = new ZipOutputStream(out)) {
            for (var member : members.entrySet()) {
              zip.putNextEntry(new ZipEntry(member.getKey()));
              zip.write(member.getValue());
            }
          }
        });
  }

  // ---- reading sets back ---------------------------------------------------------------------

  static byte[] pixels(ImageSet set) {
    return set.pixels().bytes(0, (int) (set.size() * set.imageBytes()));
  }

  static int[] labels(ImageSet set) {
    int[] labels = new int[set.size()];
    Arrays.setAll(labels, set::label);
    return labels;
  }
}
