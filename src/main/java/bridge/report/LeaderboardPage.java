package bridge.report;

import bridge.report.Leaderboard.Table;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A leaderboard as a page: its tables, clean against robust accuracy, accuracy against ε. */
final class LeaderboardPage {
  private LeaderboardPage() {}

  static String of(Leaderboard board) {
    StringBuilder html = new StringBuilder();
    for (Table table : board.tables()) {
      html.append("<section>\n<h2>").append(Html.escape(table.title())).append("</h2>\n");
      html.append(table(table));
      if (table.rows().size() > 1) {
        html.append(charts(List.of(cleanAgainstRobust(table))));
      }
      html.append("</section>\n");
    }
    String against = charts(againstEpsilon(board.entries()));
    if (!against.isEmpty()) {
      html.append("<section>\n<h2>Accuracy against ε</h2>\n").append(against);
      html.append("</section>\n");
    }
    return Html.page(
        "leaderboard.html",
        Map.of("notes", Html.escape(Leaderboard.NOTES), "tables", html.toString()));
  }

  private static String table(Table table) {
    StringBuilder html = new StringBuilder("<div class=\"wide\">\n<table>\n");
    html.append(row("th", Leaderboard.heading(table)));
    for (int i = 0; i < table.rows().size(); i++) {
      html.append(row("td", Leaderboard.cells(table, i)));
    }
    return html + "</table>\n</div>\n";
  }

  private static String row(String cell, List<String> cells) {
    StringBuilder html = new StringBuilder("<tr>");
    for (int i = 0; i < cells.size(); i++) {
      String kind = Leaderboard.isWords(i) ? " class=\"words\"" : "";
      html.append("<%s%s>%s</%s>".formatted(cell, kind, Html.escape(cells.get(i)), cell));
    }
    return html + "</tr>\n";
  }

  private static String charts(List<Chart> charts) {
    StringBuilder html = new StringBuilder();
    charts.forEach(chart -> html.append(chart.html()));
    return html.isEmpty() ? "" : "<div class=\"charts\">\n" + html + "</div>\n";
  }

  /** A dot for each model. */
  private static Chart cleanAgainstRobust(Table table) {
    List<Chart.Series> dots = new ArrayList<>();
    for (LeaderboardEntry entry : table.rows()) {
      double[] dot = {entry.value(Leaderboard.CLEAN), entry.worst()};
      dots.add(Chart.Series.of(entry.model(), List.of(dot)));
    }
    return new Chart(
        "Worst accuracy against clean", "clean accuracy", Chart.Scale.PERCENT, true, dots);
  }

  /** Data set, norm and attack. */
  private record Kind(String data, String norm, String attack) {}

  /**
   * A chart for each kind of accuracy of which some model has several ε, a curve for each model.
   */
  private static List<Chart> againstEpsilon(List<LeaderboardEntry> entries) {
    Map<Kind, Map<String, List<double[]>>> curves = new LinkedHashMap<>();
    for (LeaderboardEntry entry : entries) {
      Set<String> columns = new LinkedHashSet<>(entry.accuracies().keySet());
      columns.remove(Leaderboard.CLEAN);
      columns.add(Leaderboard.WORST);
      double at = entry.norm().equals("LINF") ? 255 * entry.epsilon() : entry.epsilon();
      for (String column : columns) {
        if (Double.isFinite(entry.value(column)) && Double.isFinite(at)) {
          curves
              .computeIfAbsent(
                  new Kind(entry.data(), entry.norm(), column), kind -> new LinkedHashMap<>())
              .computeIfAbsent(entry.model(), model -> new ArrayList<>())
              .add(new double[] {at, entry.value(column)});
        }
      }
    }
    List<Chart> charts = new ArrayList<>();
    curves.forEach(
        (kind, models) -> {
          List<Chart.Series> series = new ArrayList<>();
          models.forEach((model, points) -> series.add(curve(model, points)));
          if (models.values().stream().anyMatch(LeaderboardPage::several)) {
            String title = "%s, %s, %s".formatted(kind.data, kind.norm, kind.attack);
            String across = kind.norm.equals("LINF") ? "ε in 255ths" : "ε";
            charts.add(new Chart(title, across, Chart.Scale.NUMBER, true, series));
          }
        });
    return charts;
  }

  private static boolean several(List<double[]> points) {
    return points.stream().mapToDouble(p -> p[0]).distinct().count() > 1;
  }

  private static Chart.Series curve(String model, List<double[]> points) {
    List<double[]> rising =
        points.stream().sorted(Comparator.comparingDouble(point -> point[0])).toList();
    return Chart.Series.of(model, rising);
  }
}
