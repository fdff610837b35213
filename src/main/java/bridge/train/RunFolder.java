package bridge.train;

import bridge.UsageException;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The folder of one run: its files' names, and a lock so that two processes never share it. */
public final class RunFolder implements AutoCloseable {
  private static final String LOCK = ".lock";

  private final Path folder;
  private final FileChannel channel;
  private final boolean made;

  private RunFolder(Path folder, FileChannel channel, boolean made) {
    this.folder = folder;
    this.channel = channel;
    this.made = made;
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
      boolean made = !Files.exists(folder);
      Files.createDirectories(folder);
      FileChannel channel =
          FileChannel.open(
              folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (!lock(channel)) {
        channel.close();
        throw new UsageException(
            "run folder %s is in use by another process; stop it or name another with --out"
                .formatted(folder));
      }
      return new RunFolder(folder, channel, made);
    } catch (IOException e) {
      throw new UsageException(
          "run folder %s cannot be written (%s); name another with --out"
              .formatted(folder, reason(e)),
          e);
    }
  }

  /** File system errors often carry only the file's name as their message. */
  private static String reason(IOException e) {
    if (e instanceof FileAlreadyExistsException) {
      return "it is a file";
    }
    return e instanceof FileSystemException f && f.getReason() != null
        ? f.getReason()
        : e.getClass().getSimpleName();
  }

  private static boolean lock(FileChannel channel) throws IOException {
    try {
      FileLock lock = channel.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
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
    } catch (IOException | JsonParseException | IllegalStateException e) {
      throw new UsageException(
          "%s cannot be read, so this run cannot be resumed: %s".formatted(file, e.getMessage()),
          e);
    }
    String difference = difference("", completed(before), recipe);
    if (difference != null) {
      throw new UsageException(
          "run folder %s was made with another recipe: %s; use the same settings or another --out"
              .formatted(folder, difference));
    }
  }

  /** With the defaults of settings that there were not yet when it was written. */
  private static JsonObject completed(JsonObject before) {
    try {
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
      return Objects.equals(before, now) ? null : "%s was %s, now %s".formatted(path, before, now);
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

  /** Writes a JSON file, whole or not at all. */
  public void writeJson(String name, JsonElement json) {
    Path target = file(name);
    Path part = target.resolveSibling("." + name + ".part");
    String text =
        new GsonBuilder()
            .setPrettyPrinting()
            .disableHtmlEscaping()
            .serializeSpecialFloatingPointValues()
            .create()
            .toJson(json);
    try {
      Files.writeString(part, text + "\n");
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new TrainingException(
          "%s cannot be written: %s; see to the folder and its free space"
              .formatted(target, e.getMessage()),
          e);
    }
  }

  /**
   * Lets another process use the folder; one made for a run that never began goes again. A second
   * call does nothing.
   */
  @Override
  public void close() {
    if (!channel.isOpen()) {
      return;
    }
    try (channel) {
      if (made && isUnused()) {
        Files.delete(file(LOCK));
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new TrainingException("lock of " + folder + " cannot be released", e);
    }
  }

  private boolean isUnused() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.allMatch(file -> file.endsWith(LOCK));
    }
  }
}
