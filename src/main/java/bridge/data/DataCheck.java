package bridge.data;

import bridge.files.Digest;
import bridge.torch.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * What {@code bridge data check} says of a data set: that it can be read, what is in it, and
 * whether its files are those that were published.
 *
 * @param data as the command line names it
 * @param splits training images, then test images
 * @param files checksums of files, where the data set is published as such
 */
public record DataCheck(String data, List<SplitReport> splits, List<FileReport> files) {

  /**
   * One split.
   *
   * @param fewest images of the smallest class, {@code fewestClass}
   * @param most images of the largest class, {@code mostClass}
   * @param mean of each channel, in [0, 1]
   * @param std of each channel over all pixels, in [0, 1] (some publish the mean over images
   *     instead, which is smaller)
   * @param sha256 of the decoded pixels [N, C, H, W], then the labels as little-endian int32
   */
  public record SplitReport(
      Split split,
      int images,
      int channels,
      int height,
      int width,
      int classes,
      int fewest,
      String fewestClass,
      int most,
      String mostClass,
      List<Double> mean,
      List<Double> std,
      String sha256) {}

  /** Whether a file is the published one. */
  public enum Verdict {
    PUBLISHED,
    DIFFERENT,
    /** No published checksum is known. */
    UNKNOWN
  }

  /**
   * One file.
   *
   * @param md5 of its bytes; for IDX files of those inside the gzip wrapping
   * @param published the publisher's MD5, or null where none is known
   */
  public record FileReport(String file, String md5, String published, Verdict verdict) {}

  /**
   * Reads all of a data set.
   *
   * @throws DataException if a file is damaged
   * @throws bridge.UsageException if there is no such data set
   */
  public static DataCheck of(DataSpec spec) {
    List<SplitReport> splits = new ArrayList<>();
    for (Split split : Split.values()) {
      try (ImageSet set = spec.load(split)) {
        splits.add(report(set, split));
      }
    }
    List<FileReport> files = spec.source().files().stream().map(DataCheck::report).toList();
    return new DataCheck(spec.toString(), List.copyOf(splits), files);
  }

  /** Whether no file differs from the published one. */
  public boolean isAsPublished() {
    return files.stream().noneMatch(file -> file.verdict() == Verdict.DIFFERENT);
  }

  private static FileReport report(PublishedFile file) {
    String md5 = file.md5();
    Verdict verdict =
        file.published() == null
            ? Verdict.UNKNOWN
            : md5.equals(file.published()) ? Verdict.PUBLISHED : Verdict.DIFFERENT;
    return new FileReport(file.place(), md5, file.published(), verdict);
  }

  private static SplitReport report(ImageSet set, Split split) {
    int[] counts = new int[set.classes()];
    for (int i = 0; i < set.size(); i++) {
      counts[set.label(i)]++;
    }
    int fewest = 0;
    int most = 0;
    for (int c = 1; c < counts.length; c++) {
      fewest = counts[c] < counts[fewest] ? c : fewest;
      most = counts[c] > counts[most] ? c : most;
    }
    List<Double> means = new ArrayList<>();
    List<Double> deviations = new ArrayList<>();
    for (long[] levels : histograms(set)) {
      double mean = mean(levels, 0, 1);
      means.add(mean);
      deviations.add(Math.sqrt(mean(levels, mean, 2)));
    }
    return new SplitReport(
        split,
        set.size(),
        set.channels(),
        set.height(),
        set.width(),
        set.classes(),
        counts[fewest],
        set.classNames().get(fewest),
        counts[most],
        set.classNames().get(most),
        List.copyOf(means),
        List.copyOf(deviations),
        sha256(set));
  }

  /** How often each channel has each of the 256 levels. */
  private static long[][] histograms(ImageSet set) {
    long[][] levels = new long[set.channels()][256];
    int plane = set.height() * set.width();
    Memory pixels = set.pixels();
    for (int i = 0; i < set.size(); i++) {
      for (int c = 0; c < set.channels(); c++) {
        long at = i * set.imageBytes() + (long) c * plane;
        for (int p = 0; p < plane; p++) {
          levels[c][pixels.getUByte(at + p)]++;
        }
      }
    }
    return levels;
  }

  /** The mean of (level/255 − centre) to some power. */
  private static double mean(long[] levels, double centre, int power) {
    double sum = 0;
    long count = 0;
    for (int level = 0; level < levels.length; level++) {
      sum += levels[level] * Math.pow(level / 255.0 - centre, power);
      count += levels[level];
    }
    return count == 0 ? Double.NaN : sum / count;
  }

  private static String sha256(ImageSet set) {
    Digest digest = Digest.sha256();
    set.pixels().buffers(0, set.size() * set.imageBytes()).forEach(digest::add);
    ByteBuffer labels =
        ByteBuffer.allocate(set.size() * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < set.size(); i++) {
      labels.putInt(set.label(i));
    }
    return digest.add(labels.flip()).hex();
  }
}
