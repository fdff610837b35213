package bridge.cli;

import bridge.data.DataCheck;
import bridge.data.DataSpec;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
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
    System.out.println(
        json
            ? new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(of(check))
            : text(check));
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

  private static JsonObject of(DataCheck check) {
    JsonArray splits = new JsonArray();
    check.splits().forEach(s -> splits.add(of(s)));
    JsonArray files = new JsonArray();
    for (DataCheck.FileReport f : check.files()) {
      JsonObject file = new JsonObject();
      file.addProperty("file", f.file());
      file.addProperty("md5", f.md5());
      file.addProperty("published_md5", f.published());
      file.addProperty("verdict", f.verdict().name().toLowerCase(Locale.ROOT));
      files.add(file);
    }
    JsonObject json = new JsonObject();
    json.addProperty("data", check.data());
    json.addProperty("differs_from_published", !check.isAsPublished());
    json.add("splits", splits);
    json.add("files", files);
    return json;
  }

  private static JsonObject of(DataCheck.SplitReport s) {
    JsonObject json = new JsonObject();
    json.addProperty("split", s.split().toString());
    json.addProperty("images", s.images());
    json.addProperty("channels", s.channels());
    json.addProperty("height", s.height());
    json.addProperty("width", s.width());
    json.addProperty("classes", s.classes());
    json.addProperty("fewest", s.fewest());
    json.addProperty("fewest_class", s.fewestClass());
    json.addProperty("most", s.most());
    json.addProperty("most_class", s.mostClass());
    json.add("mean", array(s.mean()));
    json.add("std", array(s.std()));
    json.addProperty("sha256", s.sha256());
    return json;
  }

  private static JsonArray array(List<Double> numbers) {
    JsonArray array = new JsonArray();
    numbers.forEach(array::add);
    return array;
  }
}
