package bridge.cli;

import bridge.Json;
import bridge.data.DataCheck;
import bridge.data.DataSpec;
import com.google.gson.annotations.SerializedName;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Looks at data sets. */
@Command(name = "data", description = "Looks at data sets: data check DATA.")
final class DataCommand {

  @Command(
      name = "check",
      description =
          "Reads all of a data set: counts, shapes, class balance, checksums. Exit status 1 if a"
              + " published file differs.")
  private int check(
      @Parameters(
              paramLabel = "DATA",
              description = "KIND:PATH, for instance cifar10:/data; or fashion-mnist-mini.")
          String data,
      @Option(names = "--json", description = "Prints the findings as JSON.") boolean json) {
    DataCheck check = DataCheck.of(DataSpec.parse(data));
    System.out.println(json ? Json.write(Findings.of(check)) : text(check));
    return check.isAsPublished() ? 0 : 1;
  }

  /** For people: the splits side by side, then what identifies them. */
  static String text(DataCheck check) {
    StringBuilder text = new StringBuilder(check.data()).append('\n');
    row(text, check, "", s -> s.split().toString());
    row(text, check, "images", s -> String.valueOf(s.images()));
    row(text, check, "shape", s -> "[%d, %d, %d]".formatted(s.channels(), s.height(), s.width()));
    row(text, check, "classes", s -> String.valueOf(s.classes()));
    row(text, check, "of each", DataCommand::balance);
    row(text, check, "mean", s -> numbers(s.mean()));
    row(text, check, "std", s -> numbers(s.std()));
    text.append("  sha256 of the decoded images and labels\n");
    for (DataCheck.SplitReport s : check.splits()) {
      text.append("    %-8s %s%n".formatted(s.split(), s.sha256()));
    }
    if (check.files().isEmpty()) {
      text.append("  files: none is published as such");
    } else {
      text.append("  files and their MD5 (unknown: none is published to compare with)");
    }
    for (DataCheck.FileReport f : check.files()) {
      text.append("%n    %-9s %s  %s".formatted(verdict(f), f.md5(), f.file()));
      if (f.verdict() == DataCheck.Verdict.DIFFERENT) {
        text.append("%n    %-9s %s  is the published one".formatted("", f.published()));
      }
    }
    return text.toString();
  }

  private static void row(
      StringBuilder text,
      DataCheck check,
      String name,
      Function<DataCheck.SplitReport, String> of) {
    String line =
        check.splits().stream()
            .map(s -> "%-28s".formatted(of.apply(s)))
            .collect(Collectors.joining(" ", "  %-9s".formatted(name), ""));
    text.append(line.stripTrailing()).append('\n');
  }

  private static String balance(DataCheck.SplitReport s) {
    return s.fewest() == s.most()
        ? String.valueOf(s.fewest())
        : "%d (%s) to %d (%s)".formatted(s.fewest(), s.fewestClass(), s.most(), s.mostClass());
  }

  private static String numbers(List<Double> numbers) {
    return numbers.stream()
        .map(n -> String.format(Locale.ROOT, "%.4f", n))
        .collect(Collectors.joining(" "));
  }

  private static String verdict(DataCheck.FileReport file) {
    return switch (file.verdict()) {
      case PUBLISHED -> "published";
      case DIFFERENT -> "DIFFERENT";
      case UNKNOWN -> "unknown";
    };
  }

  /** What {@code --json} prints. */
  private record Findings(
      String data,
      @SerializedName("differs_from_published") boolean differs,
      List<SplitFindings> splits,
      List<FileFindings> files) {

    static Findings of(DataCheck check) {
      return new Findings(
          check.data(),
          !check.isAsPublished(),
          check.splits().stream().map(SplitFindings::of).toList(),
          check.files().stream().map(FileFindings::of).toList());
    }
  }

  private record SplitFindings(
      String split,
      int images,
      int channels,
      int height,
      int width,
      int classes,
      int fewest,
      @SerializedName("fewest_class") String fewestClass,
      int most,
      @SerializedName("most_class") String mostClass,
      List<Double> mean,
      List<Double> std,
      String sha256) {

    static SplitFindings of(DataCheck.SplitReport s) {
      return new SplitFindings(
          s.split().toString(),
          s.images(),
          s.channels(),
          s.height(),
          s.width(),
          s.classes(),
          s.fewest(),
          s.fewestClass(),
          s.most(),
          s.mostClass(),
          s.mean(),
          s.std(),
          s.sha256());
    }
  }

  /** Without {@code published_md5} where none is published. */
  private record FileFindings(
      String file, String md5, @SerializedName("published_md5") String published, String verdict) {

    static FileFindings of(DataCheck.FileReport f) {
      return new FileFindings(
          f.file(), f.md5(), f.published(), f.verdict().name().toLowerCase(Locale.ROOT));
    }
  }
}
