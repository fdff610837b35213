package bridge.report;

import bridge.Json;
import bridge.Options;
import bridge.UsageException;
import bridge.files.WholeFile;
import com.google.gson.annotations.SerializedName;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Many evaluations side by side: a table for each data set, norm and ε, the most robust model
 * first, as RobustBench and the papers have them. What a file does not say stands there as "-".
 */
public final class Leaderboard {
  static final String CLEAN = "clean";
  static final String WORST = "worst";
  static final String WEIGHTED = "W-robust";

  static final String NOTES =
      "Accuracies in percent. worst: an image counts if it is right under all attacks that were"
          + " run, which may be others from row to row. W-robust: the mean of clean and the lowest"
          + " robust accuracy.";

  private static final String NONE = "-";

  /**
   * The evaluations of one data set, norm and ε.
   *
   * @param columns of numbers, in their order
   * @param rows the first the best
   */
  record Table(
      String data, String norm, double epsilon, List<String> columns, List<LeaderboardEntry> rows) {
    String title() {
      return "%s, %s ε %s".formatted(orDash(data), orDash(norm), radius(epsilon));
    }
  }

  private final List<LeaderboardEntry> entries = new ArrayList<>();
  private final List<Table> tables = new ArrayList<>();

  private Leaderboard(List<Path> sources, String sort) {
    sources.forEach(source -> entries.addAll(LeaderboardEntry.of(source)));
    String by = sort == null ? null : column(sort);
    Map<List<Object>, List<LeaderboardEntry>> groups = new LinkedHashMap<>();
    for (LeaderboardEntry entry : entries) {
      groups
          .computeIfAbsent(
              List.of(entry.data(), entry.norm(), entry.epsilon()), key -> new ArrayList<>())
          .add(entry);
    }
    groups.values().forEach(group -> tables.add(table(group, by)));
  }

  /**
   * Reads runs' folders and evaluations' files.
   *
   * @param sort the column that decides; null for {@code autoattack} where all have it, else the
   *     worst
   * @throws UsageException if one of them holds no evaluation, or none has that column
   */
  public static Leaderboard of(List<Path> sources, String sort) {
    return new Leaderboard(sources, sort);
  }

  private String column(String sort) {
    Set<String> known = new LinkedHashSet<>();
    entries.forEach(entry -> known.addAll(entry.accuracies().keySet()));
    known.addAll(List.of(WORST, WEIGHTED));
    return known.stream()
        .filter(sort::equalsIgnoreCase)
        .findFirst()
        .orElseThrow(
            () ->
                new UsageException(
                    "--sort must name a column, found %s%s; there are %s"
                        .formatted(sort, Options.hint(sort, known), String.join(", ", known))));
  }

  private static Table table(List<LeaderboardEntry> group, String sort) {
    Set<String> columns = new LinkedHashSet<>(List.of(CLEAN));
    group.forEach(entry -> columns.addAll(entry.accuracies().keySet()));
    columns.addAll(List.of(WORST, WEIGHTED));
    boolean all = group.stream().allMatch(e -> Double.isFinite(e.value("autoattack")));
    String by = sort != null ? sort : all ? "autoattack" : WORST;
    // NaN would come first among the largest
    List<LeaderboardEntry> rows =
        group.stream()
            .sorted(
                Comparator.comparingDouble(
                    e -> Double.isFinite(e.value(by)) ? -e.value(by) : Double.POSITIVE_INFINITY))
            .toList();
    LeaderboardEntry first = group.getFirst();
    return new Table(first.data(), first.norm(), first.epsilon(), List.copyOf(columns), rows);
  }

  List<Table> tables() {
    return tables;
  }

  List<LeaderboardEntry> entries() {
    return entries;
  }

  static String orDash(String text) {
    return text.isEmpty() ? NONE : text;
  }

  /** In 255ths where it is a whole number of them, as the papers write it. */
  static String radius(double epsilon) {
    double grey = 255 * epsilon;
    return !Double.isFinite(epsilon)
        ? NONE
        : grey >= 1 && Math.abs(grey - Math.rint(grey)) < 1e-6
            ? Math.round(grey) + "/255"
            : NumberText.number(epsilon);
  }

  static String percent(double share) {
    return Double.isFinite(share) ? String.format(Locale.ROOT, "%.2f", 100 * share) : NONE;
  }

  static List<String> heading(Table table) {
    List<String> heading = new ArrayList<>(List.of("#", "model", "method", "student", "images"));
    heading.addAll(table.columns());
    return heading;
  }

  /** Whether a column holds words rather than numbers. */
  static boolean isWords(int column) {
    return column > 0 && column < 4;
  }

  static List<String> cells(Table table, int row) {
    LeaderboardEntry entry = table.rows().get(row);
    List<String> cells = new ArrayList<>();
    cells.add(String.valueOf(row + 1));
    cells.add(orDash(entry.model()));
    cells.add(orDash(entry.method()));
    cells.add(orDash(entry.student()));
    cells.add(orDash(entry.images()));
    table.columns().forEach(column -> cells.add(percent(entry.value(column))));
    return cells;
  }

  private static List<List<String>> lines(Table table) {
    List<List<String>> lines = new ArrayList<>(List.of(heading(table)));
    for (int i = 0; i < table.rows().size(); i++) {
      lines.add(cells(table, i));
    }
    return lines;
  }

  /** For a terminal. */
  public String text() {
    StringBuilder text = new StringBuilder();
    for (Table table : tables) {
      List<List<String>> lines = lines(table);
      text.append(table.title()).append('\n');
      for (List<String> line : lines) {
        StringBuilder row = new StringBuilder();
        for (int i = 0; i < line.size(); i++) {
          int column = i;
          int width = lines.stream().mapToInt(l -> l.get(column).length()).max().orElse(0);
          row.append(("  %" + (isWords(i) ? "-" : "") + width + "s").formatted(line.get(i)));
        }
        text.append(row.toString().stripTrailing()).append('\n');
      }
      text.append('\n');
    }
    return text + NOTES;
  }

  public void writeMarkdown(Path file) {
    StringBuilder text = new StringBuilder();
    for (Table table : tables) {
      text.append("## ").append(table.title()).append("\n\n");
      List<List<String>> lines = lines(table);
      text.append(markdown(lines.getFirst()));
      text.append("|---:|:---|:---|:---|").append("---:|".repeat(lines.getFirst().size() - 4));
      text.append('\n');
      lines.subList(1, lines.size()).forEach(line -> text.append(markdown(line)));
      text.append('\n');
    }
    WholeFile.write(file, text + NOTES + "\n");
  }

  private static String markdown(List<String> cells) {
    return "| "
        + String.join(" | ", cells.stream().map(cell -> cell.replace("|", "\\|")).toList())
        + " |\n";
  }

  /** What {@code --json} writes. */
  private record TablesJson(List<TableJson> tables) {}

  private record TableJson(String data, String norm, Double epsilon, List<RowJson> rows) {}

  private record RowJson(
      String source,
      String model,
      String method,
      String student,
      String images,
      Map<String, Double> accuracy,
      @SerializedName("worst_accuracy") Double worst,
      @SerializedName("w_robust") Double weighted) {}

  /** Shares from 0 to 1, as the evaluations have them; null for what they do not say. */
  public void writeJson(Path file) {
    List<TableJson> all =
        tables.stream()
            .map(
                table ->
                    new TableJson(
                        table.data(),
                        table.norm(),
                        known(table.epsilon()),
                        table.rows().stream().map(entry -> row(table, entry)).toList()))
            .toList();
    WholeFile.write(file, Json.writeWithNulls(new TablesJson(all)) + "\n");
  }

  private static RowJson row(Table table, LeaderboardEntry entry) {
    Map<String, Double> accuracies = new LinkedHashMap<>();
    table
        .columns()
        .subList(0, table.columns().size() - 2)
        .forEach(column -> accuracies.put(column, known(entry.value(column))));
    return new RowJson(
        entry.source().toString(),
        known(entry.model()),
        known(entry.method()),
        known(entry.student()),
        known(entry.images()),
        accuracies,
        known(entry.worst()),
        known(entry.weighted()));
  }

  private static Double known(double value) {
    return Double.isFinite(value) ? value : null;
  }

  private static String known(String text) {
    return text.isEmpty() ? null : text;
  }

  /** A page with the tables and their plots, which needs nothing else. */
  public void writeHtml(Path file) {
    WholeFile.write(file, LeaderboardPage.of(this));
  }
}
