package bridge.cli;

import bridge.checkpoint.TensorFile;
import bridge.evaluate.Evaluation.Result;
import bridge.files.WholeFile;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Image by image: what the model says under each attack, and the images themselves. */
final class Outcomes {
  private Outcomes() {}

  /**
   * Writes a line for each image: its place in the test set, its label, and the prediction under
   * each attack; for an image that is wrong without an attack, what is said of it then.
   */
  static void write(Path file, List<Result> results) {
    boolean csv = file.toString().toLowerCase(Locale.ROOT).endsWith(".csv");
    StringBuilder text = new StringBuilder();
    if (csv) {
      text.append(
          results.stream()
              .map(Result::attack)
              .collect(Collectors.joining(",", "index,label,", "\n")));
    }
    for (int i = 0; i < results.getFirst().images(); i++) {
      int image = i;
      int label = results.getFirst().labels().get(i);
      if (csv) {
        text.append(
            results.stream()
                .map(result -> String.valueOf(result.predictions().get(image)))
                .collect(Collectors.joining(",", i + "," + label + ",", "\n")));
      } else {
        JsonObject line = new JsonObject();
        line.addProperty("index", i);
        line.addProperty("label", label);
        results.forEach(r -> line.addProperty(r.attack(), r.predictions().get(image)));
        text.append(line).append('\n');
      }
    }
    WholeFile.write(file, text.toString());
  }

  /** Writes float [N, C, H, W] under each attack's name, and {@code labels} [N]. */
  static void writeImages(
      Path file, Map<String, Tensor> made, List<Result> results, JsonObject settings) {
    Map<String, Tensor> tensors = new LinkedHashMap<>(made);
    List<Integer> labels = results.getFirst().labels();
    long[] values = labels.stream().mapToLong(Integer::longValue).toArray();
    tensors.put("labels", Tensor.of(values, values.length));
    Map<String, String> text = new LinkedHashMap<>();
    settings.asMap().forEach((key, value) -> text.put(key, value.toString()));
    TensorFile.write(file, tensors, text);
  }
}
