package bridge.evaluate;

import bridge.UsageException;
import bridge.checkpoint.TensorFile;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
  private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

  private final Path folder;
  private final FileChannel channel;
  private final Map<String, JsonObject> results = new HashMap<>();

  private EvaluationState(Path folder, FileChannel channel) {
    this.folder = folder;
    this.channel = channel;
  }

  /**
   * Opens a folder, making it where it is not there.
   *
   * @param settings all that the results depend on, but the attacks: more of them may be added
   * @throws UsageException if the folder is of other settings, in use, or cannot be written
   */
  public static EvaluationState open(Path folder, JsonObject settings) {
    Path file = folder.resolve("evaluation.jsonl");
    try {
      Files.createDirectories(folder);
      FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      EvaluationState state = new EvaluationState(folder, channel);
      try {
        state.lock();
        state.read(settings);
        return state;
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (IOException e) {
      throw new UsageException(
          "state folder %s cannot be used (%s); name another with --state"
              .formatted(folder, reason(e)),
          e);
    }
  }

  private static String reason(IOException e) {
    return e instanceof FileSystemException f && f.getReason() != null
        ? f.getReason()
        : e.getClass().getSimpleName();
  }

  private void lock() throws IOException {
    try {
      if (channel.tryLock() != null) {
        return;
      }
    } catch (OverlappingFileLockException e) {
      // another evaluation of this very process
    }
    throw new UsageException(
        "state folder %s is in use by another process; stop it or name another with --state"
            .formatted(folder));
  }

  private void read(JsonObject settings) throws IOException {
    byte[] all = Files.readAllBytes(folder.resolve("evaluation.jsonl"));
    int whole = all.length;
    while (whole > 0 && all[whole - 1] != '\n') {
      whole--;
    }
    channel.truncate(whole);
    channel.position(whole);
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
      // said below
    }
    throw new UsageException(
        "%s: line %d is not one of an evaluation; name another folder with --state"
            .formatted(folder.resolve("evaluation.jsonl"), number));
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
  Optional<JsonObject> known(String attack, int batch, boolean images) {
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
    try {
      if (images.isPresent()) {
        Path file = file(attack, batch);
        Files.createDirectories(file.getParent());
        TensorFile.write(file, Map.of("images", images.get()), Map.of());
      }
      append(line);
    } catch (IOException e) {
      throw new EvaluationException(
          "state folder %s cannot be written (%s); see to its free space"
              .formatted(folder, reason(e)),
          e);
    }
    results.put(key(attack, batch), line);
  }

  private void append(JsonObject line) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap((JSON.toJson(line) + "\n").getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
    channel.force(false);
  }

  /** Lets another process use the folder. */
  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new EvaluationException("state folder %s cannot be closed".formatted(folder), e);
    }
  }
}
