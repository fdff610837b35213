package bridge.train;

import bridge.Json;
import bridge.Options;
import bridge.UsageException;
import bridge.files.FolderLock;
import bridge.files.Reason;
import bridge.files.WholeFile;
import bridge.gradient.Engine;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.IntStream;

/** The folder of one run: its files' names, and a lock so that two processes never share it. */
public final class RunFolder implements AutoCloseable {
  private final Path folder;
  private final FolderLock lock;

  private RunFolder(Path folder, FolderLock lock) {
    this.folder = folder;
    this.lock = lock;
  }

  /**
   * Opens a folder for a run, making it where it is not there.
   *
   * @param resume whether a run in it is to go on
   * @throws UsageException if it holds a run and {@code resume} is false, cannot be written, or
   *     another process uses it
   */
  public static RunFolder open(Path folder, boolean resume) {
    if (!resume && Files.exists(folder.resolve("recipe.json"))) {
      throw new UsageException(
          "run folder %s already holds a run; continue it with --resume or name another with --out"
              .formatted(folder));
    }
    try {
      FolderLock lock =
          FolderLock.tryLock(folder)
              .orElseThrow(
                  () ->
                      new UsageException(
                          ("run folder %s is in use by another process; stop it or name another"
                                  + " with --out")
                              .formatted(folder)));
      return new RunFolder(folder, lock);
    } catch (IOException e) {
      throw new UsageException(
          "run folder %s cannot be written (%s); name another with --out"
              .formatted(folder, Reason.writing(folder, e).what()),
          e);
    }
  }

  public Path path() {
    return folder;
  }

  public Path file(String name) {
    return folder.resolve(name);
  }

  /** The full state, for resuming. */
  Path state() {
    return folder.resolve("last").resolve("state.safetensors");
  }

  /**
   * Refuses to go on with a run whose recipe is another one.
   *
   * @throws UsageException naming the first setting that differs
   */
  void checkSameRecipe(JsonObject recipe) {
    Path file = file("recipe.json");
    if (!Files.exists(file)) {
      return;
    }
    JsonObject before;
    try {
      before = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    } catch (IOException e) {
      throw unreadable(file, Reason.reading(e).what(), e);
    } catch (JsonParseException | IllegalStateException e) {
      throw unreadable(file, Json.fault(e), e);
    }
    String difference = difference("", completed(before), recipe);
    if (difference != null) {
      throw new UsageException(
          "run folder %s was made with another recipe: %s; use the same settings or another --out"
              .formatted(folder, difference));
    }
  }

  private static UsageException unreadable(Path file, String why, Exception e) {
    return new UsageException(
        "%s cannot be read, so this run cannot be resumed: %s; name another --out"
            .formatted(file, why),
        e);
  }

  /**
   * With the defaults of settings that there were not yet when it was written. What such a run's
   * gradients were computed by is known: there was only one way.
   */
  private static JsonObject completed(JsonObject before) {
    try {
      if (!before.has("gradients")) {
        before.add("gradients", Engine.PLAIN_JSON.deepCopy());
      }
      return Recipe.from(before).resolved();
    } catch (UsageException e) {
      return before; // of a setting that is no more, which the comparison names
    }
  }

  private static String difference(String path, JsonElement before, JsonElement now) {
    if (before instanceof JsonArray a && now instanceof JsonArray b && a.size() == b.size()) {
      return IntStream.range(0, a.size())
          .mapToObj(i -> difference("%s[%d]".formatted(path, i), a.get(i), b.get(i)))
          .filter(Objects::nonNull)
          .findFirst()
          .orElse(null);
    }
    if (before == null || now == null || !before.isJsonObject() || !now.isJsonObject()) {
      return same(before, now) ? null : "%s was %s, now %s".formatted(path, before, now);
    }
    var keys = new java.util.LinkedHashSet<>(before.getAsJsonObject().keySet());
    keys.addAll(now.getAsJsonObject().keySet());
    for (String key : keys) {
      String inner =
          difference(
              path.isEmpty() ? key : path + "." + key,
              before.getAsJsonObject().get(key),
              now.getAsJsonObject().get(key));
      if (inner != null) {
        return inner;
      }
    }
    return null;
  }

  /** Whether two settings mean the same: {@code "8/255"} is a number. */
  private static boolean same(JsonElement a, JsonElement b) {
    return Objects.equals(a, b)
        || (isText(a) || isText(b)) && number(a) == number(b); // NaN, no number, is never the same
  }

  private static boolean isText(JsonElement value) {
    return value instanceof JsonPrimitive primitive && primitive.isString();
  }

  private static double number(JsonElement value) {
    return value instanceof JsonPrimitive primitive
        ? Options.parse(primitive.getAsString())
        : Double.NaN;
  }

  /** Writes a JSON file, whole or not at all. */
  public void writeJson(String name, JsonElement json) {
    WholeFile.write(file(name), Json.write(json) + "\n");
  }

  /**
   * Lets another process use the folder; one created for a run that never began goes again. A
   * second call does nothing.
   */
  @Override
  public void close() {
    lock.close();
  }
}
