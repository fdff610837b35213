package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code leaderboard}: the numbers of the evaluations it is given. */
class LeaderboardCommandTest extends EvaluateCommands {
  @Test
  void leaderboardHasTheNumbersOfTheEvaluations() throws IOException {
    List<String> files = new ArrayList<>();
    for (String epsilon : List.of("0.02", "0.05")) {
      Path out = file("e" + epsilon + ".json");
      said(evaluate("--limit=10", "--attacks=clean,pgd2", "--eps=" + epsilon, "--json=" + out));
      files.add(out.toString());
    }
    Path board = file("board.json");
    Path page = file("board.html");
    Path markdown = file("board.md");
    List<String> command = new ArrayList<>(List.of("leaderboard"));
    command.addAll(files);
    command.addAll(List.of("--json=" + board, "--html=" + page, "--markdown=" + markdown));
    String text = said(command.toArray(String[]::new));
    JsonArray tables = json(board).getAsJsonArray("tables");
    assertEquals(2, tables.size());
    for (int i = 0; i < 2; i++) {
      JsonObject evaluation = json(Path.of(files.get(i)));
      JsonObject row =
          tables.get(i).getAsJsonObject().getAsJsonArray("rows").get(0).getAsJsonObject();
      JsonObject accuracy = row.getAsJsonObject("accuracy");
      JsonObject pgd = result(evaluation, 1);
      assertEquals(result(evaluation, 0).get("accuracy"), accuracy.get("clean"));
      assertEquals(pgd.get("accuracy"), accuracy.get("pgd2"));
      assertEquals(pgd.get("worst_accuracy"), row.get("worst_accuracy"));
      assertEquals(pgd.get("w_robust"), row.get("w_robust"));
      assertTrue(text.contains("%.2f".formatted(100 * pgd.get("w_robust").getAsDouble())), text);
    }
    assertTrue(Files.readString(page).contains("Accuracy against ε"));
    assertTrue(Files.readString(markdown).contains("## fashion-mnist-mini, LINF ε 0.02"));
  }

  @Test
  void leaderboardOfNothingIsRefused() {
    for (String[] wrong :
        new String[][] {
          {"leaderboard"},
          {"leaderboard", "nowhere"},
          {"leaderboard", "models"},
          {"leaderboard", "models/fmnist-vgg.json"}
        }) {
      Console.Ran ran = Console.run(wrong);
      assertEquals(2, ran.status(), ran.err());
      assertEquals(1, ran.err().lines().count(), ran.err());
      assertTrue(ran.err().startsWith("bridge: "), ran.err());
    }
  }
}
