package bridge.cli;

import bridge.evaluate.Evaluation.Result;
import bridge.train.Recipe;
import bridge.train.Trainer;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Locale;

/** Results of evaluations as text and as JSON. */
final class Tables {
  private Tables() {}

  /** A table for people; accuracies in percent. */
  static String text(String title, List<Result> results) {
    StringBuilder text = new StringBuilder(title);
    text.append(
        String.format(
            Locale.ROOT,
            "%n  %-14s %8s %8s %8s %10s %8s",
            "attack",
            "images",
            "accuracy",
            "worst",
            "max change",
            "seconds"));
    for (Result r : results) {
      text.append(
          String.format(
              Locale.ROOT,
              "%n  %-14s %8d %7.2f%% %7.2f%% %10.4f %8.1f",
              r.attack(),
              r.images(),
              100 * r.accuracy(),
              100 * r.worstAccuracy(),
              r.maxPerturbation(),
              r.seconds()));
    }
    return text.toString();
  }

  static JsonArray json(List<Result> results) {
    JsonArray array = new JsonArray();
    for (Result r : results) {
      JsonObject one = new JsonObject();
      one.addProperty("attack", r.attack());
      one.addProperty("images", r.images());
      one.addProperty("correct", r.correct());
      one.addProperty("accuracy", r.accuracy());
      one.addProperty("worst_accuracy", r.worstAccuracy());
      one.addProperty("mean_perturbation", r.meanPerturbation());
      one.addProperty("max_perturbation", r.maxPerturbation());
      one.addProperty("seconds", r.seconds());
      array.add(one);
    }
    return array;
  }

  /** What a finished run's students, the best first, come to: {@code evaluation.json}. */
  static JsonObject evaluation(List<Trainer.Evaluated> students, Recipe recipe) {
    JsonObject json = new JsonObject();
    json.addProperty("recipe", recipe.name());
    json.addProperty("data", recipe.data());
    json.addProperty("norm", recipe.attack().ball().norm().name());
    json.addProperty("epsilon", recipe.attack().ball().epsilon());
    for (Trainer.Evaluated student : students) {
      boolean best = student == students.get(0);
      json.addProperty(best ? "model" : "last_model", student.file());
      json.add(best ? "results" : "last_results", json(student.results()));
    }
    return json;
  }
}
