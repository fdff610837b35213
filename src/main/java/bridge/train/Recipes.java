package bridge.train;

import bridge.Json;
import bridge.Options;
import bridge.UsageException;
import bridge.files.Reason;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.stream.Stream;

/** Recipes as JSON: those built in, those in files, and single values set on the command line. */
public final class Recipes {
  private static final String FOLDER = "/bridge/recipes/";

  private static final String FIRST = "quickstart";
  private static final List<String> NAMES = list();

  private Recipes() {}

  /** The built-in recipes' names: the quickstart, those that run anywhere, then the others. */
  public static List<String> names() {
    return NAMES;
  }

  /** All there are in the folder of {@link #FIRST}, which lies in a jar or among the classes. */
  private static List<String> list() {
    try {
      URL first = Recipes.class.getResource(FOLDER + FIRST + ".json");
      return (first.openConnection() instanceof JarURLConnection jar
              ? jar.getJarFile().stream().map(JarEntry::getName).filter(n -> inFolder("/" + n))
              : Stream.of(Path.of(first.toURI()).getParent().toFile().list()))
          .filter(name -> name.endsWith(".json"))
          .map(name -> name.substring(name.lastIndexOf('/') + 1, name.length() - 5))
          .sorted(
              Comparator.comparing((String name) -> !name.equals(FIRST))
                  .thenComparing(name -> !name.endsWith("-fashion-mnist"))
                  .thenComparing(Comparator.naturalOrder()))
          .toList();
    } catch (IOException | URISyntaxException e) {
      throw new IllegalStateException("the program's recipes cannot be listed", e);
    }
  }

  private static boolean inFolder(String path) {
    return path.startsWith(FOLDER) && path.indexOf('/', FOLDER.length()) < 0;
  }

  /** A built-in recipe as it is written. */
  public static String text(String name) {
    if (!names().contains(name)) {
      throw unknown(name);
    }
    return resource(name + ".json");
  }

  /**
   * A built-in recipe by name, or a file's.
   *
   * @throws UsageException if there is neither, or the file is no JSON object
   */
  public static JsonObject load(String nameOrFile) {
    if (names().contains(nameOrFile)) {
      return parse(nameOrFile, text(nameOrFile));
    }
    Path file = Path.of(nameOrFile);
    if (!Files.isRegularFile(file)) {
      throw unknown(nameOrFile);
    }
    try {
      return parse(nameOrFile, Files.readString(file));
    } catch (IOException e) {
      throw new UsageException(
          "recipe %s cannot be read: %s".formatted(file, Reason.reading(e)), e);
    }
  }

  private static UsageException unknown(String name) {
    return new UsageException(
        "recipe %s is neither a file nor built in%s; bridge recipes lists those built in"
            .formatted(name, Options.hint(name, names())));
  }

  private static JsonObject parse(String name, String text) {
    try {
      JsonReader reader = new JsonReader(new StringReader(text));
      reader.setStrictness(Strictness.STRICT);
      return whole(reader).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw new UsageException(
          "recipe %s is not a JSON object: %s".formatted(name, Json.fault(e)), e);
    }
  }

  /**
   * Sets one value: {@code attack.epsilon=0.1}, {@code teachers[0].model=a.pt}. What is JSON is
   * taken as JSON, anything else as text.
   *
   * @throws UsageException if the path leads through something that is neither object nor list
   */
  public static void set(JsonObject recipe, String assignment) {
    int equals = assignment.indexOf('=');
    if (equals < 1) {
      throw new UsageException("--set takes PATH=VALUE, found " + assignment);
    }
    String[] path = assignment.substring(0, equals).split("\\.|(?=\\[)", -1);
    if (!Arrays.stream(path).allMatch(part -> part.matches("[^\\[\\]]+|\\[\\d{1,6}]"))) {
      throw new UsageException(
          "--set %s: a path reads key.key or key[0].key".formatted(assignment));
    }
    JsonElement at = recipe;
    for (int i = 0; i < path.length - 1; i++) {
      at = inside(at, path[i], assignment);
    }
    String last = path[path.length - 1];
    JsonElement value = value(assignment.substring(equals + 1));
    if (last.startsWith("[")) {
      array(at, assignment).set(index(last, at, assignment), value);
    } else if (at.isJsonObject()) {
      at.getAsJsonObject().add(last, value);
    } else {
      throw noSuchPath(assignment);
    }
  }

  private static JsonElement inside(JsonElement at, String key, String assignment) {
    if (key.startsWith("[")) {
      return array(at, assignment).get(index(key, at, assignment));
    }
    if (!at.isJsonObject()) {
      throw noSuchPath(assignment);
    }
    JsonObject object = at.getAsJsonObject();
    if (!object.has(key)) {
      object.add(key, new JsonObject());
    }
    return object.get(key);
  }

  private static JsonArray array(JsonElement at, String assignment) {
    if (!at.isJsonArray()) {
      throw noSuchPath(assignment);
    }
    return at.getAsJsonArray();
  }

  private static int index(String bracket, JsonElement at, String assignment) {
    int index = Integer.parseInt(bracket.substring(1, bracket.length() - 1));
    int size = array(at, assignment).size();
    if (index >= size) {
      throw new UsageException(
          "--set %s: there is no %s in a list of %d".formatted(assignment, bracket, size));
    }
    return index;
  }

  private static UsageException noSuchPath(String assignment) {
    return new UsageException("--set %s leads nowhere in the recipe".formatted(assignment));
  }

  private static JsonElement value(String text) {
    try {
      JsonReader reader = new JsonReader(new StringReader(text));
      reader.setStrictness(Strictness.STRICT);
      JsonElement value = whole(reader);
      return value.isJsonNull() ? new JsonPrimitive(text) : value;
    } catch (JsonParseException e) {
      return new JsonPrimitive(text);
    }
  }

  /** One value and nothing after it. */
  private static JsonElement whole(JsonReader reader) {
    JsonElement value = JsonParser.parseReader(reader);
    try {
      if (reader.peek() == JsonToken.END_DOCUMENT) {
        return value;
      }
    } catch (IOException e) {
      throw new JsonParseException("text after the end at " + reader.getPath(), e);
    }
    throw new JsonParseException("text after the end");
  }

  private static String resource(String file) {
    try (InputStream in = Recipes.class.getResourceAsStream(FOLDER + file)) {
      if (in == null) {
        throw new IllegalStateException("the program lacks its resource " + FOLDER + file);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IllegalStateException("the program's resource " + file + " is damaged", e);
    }
  }
}
