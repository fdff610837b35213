package bridge.cli;

import bridge.report.Leaderboard;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Puts evaluations side by side. */
@Command(
    name = "leaderboard",
    sortOptions = false,
    description = "Puts the evaluations of runs and models side by side.")
final class LeaderboardCommand implements Runnable {
  @Parameters(
      arity = "1..*",
      paramLabel = "RUN",
      description = "A run's folder, or a file of evaluate --json.")
  private List<Path> runs;

  @Option(
      names = "--sort",
      paramLabel = "COLUMN",
      description = "What decides: clean, an attack, worst, w-robust (autoattack or worst).")
  private String sort;

  @Option(names = "--markdown", paramLabel = "FILE", description = "Also writes it as Markdown.")
  private Path markdown;

  @Option(names = "--json", paramLabel = "FILE", description = "Also writes it as JSON.")
  private Path json;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      description = "Also writes it as a page, with plots.")
  private Path html;

  @Override
  public void run() {
    Leaderboard board = Leaderboard.of(runs, sort);
    if (markdown != null) {
      board.writeMarkdown(markdown);
    }
    if (json != null) {
      board.writeJson(json);
    }
    if (html != null) {
      board.writeHtml(html);
    }
    System.out.println(board.text());
  }
}
