package bridge.evaluate;

import bridge.evaluate.Evaluation.Result;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A line for each image: its place in the test set, its label, and the prediction under each
 * attack; for an image that is wrong without an attack, what is said of it then.
 */
public final class Outcomes {
  private Outcomes() {}

  /** With commas between, under a line of names. */
  public static String csv(List<Result> results) {
    String names = results.stream().map(Result::attack).collect(Collectors.joining(","));
    return "index,label," + names + "\n" + lines(results, Outcomes::cells);
  }

  /** A JSON object each. */
  public static String jsonLines(List<Result> results) {
    return lines(results, Outcomes::object);
  }

  private interface Line {
    Object of(List<Result> results, int image);
  }

  private static String lines(List<Result> results, Line line) {
    return IntStream.range(0, results.getFirst().images())
        .mapToObj(image -> line.of(results, image) + "\n")
        .collect(Collectors.joining());
  }

  private static String cells(List<Result> results, int image) {
    return results.stream()
        .map(result -> String.valueOf(result.predictions().get(image)))
        .collect(
            Collectors.joining(
                ",", image + "," + results.getFirst().labels().get(image) + ",", ""));
  }

  /** The attacks' names are its keys. */
  private static JsonObject object(List<Result> results, int image) {
    JsonObject line = new JsonObject();
    line.addProperty("index", image);
    line.addProperty("label", results.getFirst().labels().get(image));
    results.forEach(r -> line.addProperty(r.attack(), r.predictions().get(image)));
    return line;
  }
}
