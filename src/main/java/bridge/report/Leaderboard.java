package bridge.report;

import bridge.Options;
import bridge.UsageException;
import bridge.files.WholeFile;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
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
  private static final Gson PRETTY =
      new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create();

  /**
   * The evaluations of one data set, norm and ε.
   *
   * @param columns of numbers, in their order
   * @param rows the first the best
   */
  record Table(String data, String norm, double epsilon, List<String> columns, List<Entry> rows) {
    String title() {
      return "%s, %s ε %s".formatted(said(data), said(norm), radius(epsilon));
    }
  }

  private final List<Entry> entries = new ArrayList<>();
  private final List<Table> tables = new ArrayList<>();

  private Leaderboard(List<Path> sources, String sort) {
    sources.forEach(source -> entries.addAll(Entry.of(source)));
    String by = sort == null ? null : column(sort);
    Map<List<Object>, List<Entry>> groups = new LinkedHashMap<>();
    for (Entry entry : entries) {
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

  private static Table table(List<Entry> group, String sort) {
    Set<String> columns = new LinkedHashSet<>(List.of(CLEAN));
    group.forEach(entry -> columns.addAll(entry.accuracies().keySet()));
    columns.addAll(List.of(WORST, WEIGHTED));
    boolean all = group.stream().allMatch(e -> Double.isFinite(e.value("autoattack")));
    String by = sort != null ? sort : all ? "autoattack" : WORST;
    // NaN would come first among the largest
    List<Entry> rows =
        group.stream()
            .sorted(
                Comparator.comparingDouble(
                    e -> Double.isFinite(e.value(by)) ? -e.value(by) : Double.POSITIVE_INFINITY))
            .toList();
    Entry first = group.getFirst();
    return new Table(first.data(), first.norm(), first.epsilon(), List.copyOf(columns), rows);
  }

  List<Table> tables() {
    return tables;
  }

  List<Entry> entries() {
    return entries;
  }

  static String said(String text) {
    return text.isEmpty() ? NONE : text;
  }

  /** In 255ths where it is a whole number of them, as the papers write it. */
  static String radius(double epsilon) {
    double grey = 255 * epsilon;
    return !Double.isFinite(epsilon)
        ? NONE
        : grey >= 1 && Math.abs(grey - Math.rint(grey)) < 1e-6
            ? Math.round(grey) + "/255"
            : Figures.number(epsilon);
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
    Entry entry = table.rows().get(row);
    List<String> cells = new ArrayList<>();
    cells.add(String.valueOf(row + 1));
    cells.add(said(entry.model()));
    cells.add(said(entry.method()));
    cells.add(said(entry.student()));
    cells.add(said(entry.images()));
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

  /** Shares from 0 to 1, as the evaluations have them; null for what they do not say. */
  public void writeJson(Path file) {
    JsonArray all = new JsonArray();
    for (Table table : tables) {
      JsonObject one = new JsonObject();
      one.addProperty("data", table.data());
      one.addProperty("norm", table.norm());
      one.add("epsilon", number(table.epsilon()));
      JsonArray rows = new JsonArray();
      for (Entry entry : table.rows()) {
        rows.add(json(table, entry));
      }
      one.add("rows", rows);
      all.add(one);
    }
    JsonObject json = new JsonObject();
    json.add("tables", all);
    WholeFile.write(file, PRETTY.toJson(json) + "\n");
  }

  private static JsonObject json(Table table, Entry entry) {
    JsonObject row = new JsonObject();
    row.addProperty("source", entry.source().toString());
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("model", entry.model());
    texts.put("method", entry.method());
    texts.put("student", entry.student());
    texts.put("images", entry.images());
    texts.forEach(
        (key, text) -> row.add(key, text.isEmpty() ? JsonNull.INSTANCE : new JsonPrimitive(text)));
    JsonObject accuracies = new JsonObject();
    table
        .columns()
        .subList(0, table.columns().size() - 2)
        .forEach(column -> accuracies.add(column, number(entry.value(column))));
    row.add("accuracy", accuracies);
    row.add("worst_accuracy", number(entry.worst()));
    row.add("w_robust", number(entry.weighted()));
    return row;
  }

  private static JsonElement number(double value) {
    return Double.isFinite(value) ? new JsonPrimitive(value) : JsonNull.INSTANCE;
  }

  /** A page with the tables and their plots, which needs nothing else. */
  public void writeHtml(Path file) {
    WholeFile.write(file, LeaderboardPage.of(this));
  }
}
