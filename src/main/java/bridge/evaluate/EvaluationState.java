package bridge.evaluate;

import bridge.Json;
import bridge.UsageException;
import bridge.checkpoint.TensorFile;
import bridge.files.AppendedFile;
import bridge.files.FileException;
import bridge.files.FolderLock;
import bridge.files.Folders;
import bridge.files.Reason;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * What an evaluation has come to so far, in a folder: so that one that is killed goes on where it
 * was, with the same result as one that was not.
 *
 * <p>{@code evaluation.jsonl} begins with a line of settings; then comes a line for each attack and
 * batch, forced to the disk when the batch is done. A line that was not finished is dropped. Where
 * images are kept as well they stand in {@code images/ATTACK/BATCH.safetensors}.
 */
public final class EvaluationState implements AutoCloseable {
  private final Path folder;
  private final FolderLock lock;
  private AppendedFile lines;
  private final Map<String, JsonObject> results = new HashMap<>();

  private EvaluationState(Path folder, FolderLock lock) {
    this.folder = folder;
    this.lock = lock;
  }

  private static Path file(Path folder) {
    return folder.resolve("evaluation.jsonl");
  }

  /**
   * Opens a folder, making it where it is not there.
   *
   * @param settings all that the results depend on, but the attacks: more of them may be added
   * @throws UsageException if the folder is of other settings, in use, or cannot be written
   */
  public static EvaluationState open(Path folder, JsonObject settings) {
    EvaluationState state = new EvaluationState(folder, lock(folder));
    try {
      state.read(settings);
      return state;
    } catch (IOException e) {
      state.close();
      throw unusable(folder, Reason.reading(e).what(), e);
    } catch (FileException e) {
      state.close();
      throw unusable(folder, e.getMessage(), e);
    } catch (RuntimeException e) {
      state.close();
      throw e;
    }
  }

  private static FolderLock lock(Path folder) {
    try {
      return FolderLock.tryLock(folder)
          .orElseThrow(
              () ->
                  new UsageException(
                      ("state folder %s is in use by another process; stop it or name another with"
                              + " --state")
                          .formatted(folder)));
    } catch (IOException e) {
      throw unusable(folder, Reason.writing(folder, e).what(), e);
    }
  }

  private static UsageException unusable(Path folder, String why, Exception e) {
    return new UsageException(
        "state folder %s cannot be used (%s); name another with --state".formatted(folder, why), e);
  }

  private void read(JsonObject settings) throws IOException {
    lines = AppendedFile.open(file(folder));
    byte[] all = Files.readAllBytes(file(folder));
    int whole = all.length;
    while (whole > 0 && all[whole - 1] != '\n') {
      whole--;
    }
    lines.truncate(whole);
    int number = 0;
    for (String line : new String(all, 0, whole, StandardCharsets.UTF_8).lines().toList()) {
      JsonObject json = object(line, ++number);
      if (number == 1) {
        compare(json.get("settings"), settings);
      } else {
        results.put(key(json.get("attack").getAsString(), json.get("batch").getAsInt()), json);
      }
    }
    if (number == 0) {
      JsonObject first = new JsonObject();
      first.add("settings", settings);
      append(first);
    }
  }

  private JsonObject object(String line, int number) {
    try {
      if (JsonParser.parseString(line) instanceof JsonObject json
          && (number == 1 ? json.has("settings") : json.has("attack") && json.has("batch"))) {
        return json;
      }
    } catch (JsonParseException e) {
      // refused below
    }
    throw new UsageException(
        "%s: line %d is not one of an evaluation; name another folder with --state"
            .formatted(file(folder), number));
  }

  private void compare(JsonElement before, JsonObject now) {
    JsonObject then = before instanceof JsonObject object ? object : new JsonObject();
    Set<String> keys = new LinkedHashSet<>(now.keySet());
    keys.addAll(then.keySet());
    for (String key : keys) {
      // numbers read from a file and numbers given are equal as text
      String was = Objects.toString(then.get(key));
      String is = Objects.toString(now.get(key));
      if (!was.equals(is)) {
        throw new UsageException(
            "state folder %s is of another evaluation: %s was %s, now %s; use the same settings or"
                    .formatted(folder, key, was, is)
                + " name another folder with --state");
      }
    }
  }

  private static String key(String attack, int batch) {
    return batch + "/" + attack;
  }

  /**
   * What is known of an attack on a batch.
   *
   * @param images whether its images are needed, too
   */
  Optional<JsonObject> stored(String attack, int batch, boolean images) {
    return Optional.ofNullable(results.get(key(attack, batch)))
        .filter(_ -> !images || Files.exists(file(attack, batch)));
  }

  /** The images kept of an attack on a batch, a copy in the caller's scope. */
  Tensor images(String attack, int batch) {
    try (Scope scope = Scope.open("images");
        TensorFile file = TensorFile.read(file(attack, batch))) {
      return scope.keep(file.tensors().get("images").copy());
    }
  }

  private Path file(String attack, int batch) {
    return folder.resolve("images").resolve(attack).resolve("%05d.safetensors".formatted(batch));
  }

  /**
   * Adds what an attack on a batch came to; it is on the disk when this returns.
   *
   * @param images empty where they are not kept
   */
  void add(String attack, int batch, JsonObject result, Optional<Tensor> images) {
    JsonObject line = new JsonObject();
    line.addProperty("attack", attack);
    line.addProperty("batch", batch);
    result.entrySet().forEach(e -> line.add(e.getKey(), e.getValue()));
    images.ifPresent(
        perturbed -> {
          Path file = file(attack, batch);
          Folders.create(file.getParent());
          TensorFile.write(file, Map.of("images", perturbed), Map.of());
        });
    append(line);
    results.put(key(attack, batch), line);
  }

  private void append(JsonObject line) {
    lines.write(Json.line(line) + "\n");
    lines.force();
  }

  /** Lets another process use the folder. */
  @Override
  public void close() {
    try (lock) {
      if (lines != null) {
        lines.close();
      }
    }
  }
}
