package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Runs of {@code evaluate} on a few images, in a folder of their own. */
abstract class EvaluateCommands {
  static final String MODEL = "tests/golden/attacks/net_1x28/student_torchscript.pt";

  @TempDir Path folder;

  @BeforeEach
  void cacheInTheFolder() {
    System.setProperty("bridge.cache", folder.resolve("cache").toString());
  }

  @AfterEach
  void forgetCache() {
    System.clearProperty("bridge.cache");
  }

  static String[] evaluate(String... more) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "evaluate",
                "--model=" + MODEL,
                "--data=fashion-mnist-mini",
                "--threads=1",
                "--batch=8"));
    all.addAll(Arrays.asList(more));
    for (String usual : List.of("--limit=20", "--eps=0.05")) {
      String option = usual.substring(0, usual.indexOf('=') + 1);
      if (all.stream().noneMatch(given -> given.startsWith(option))) {
        all.add(usual);
      }
    }
    return all.toArray(String[]::new);
  }

  static String said(String... args) {
    Console.Ran ran = Console.run(args);
    assertEquals("", ran.err());
    assertEquals(0, ran.status());
    return ran.out();
  }

  Path file(String name) {
    return folder.resolve(name);
  }

  static JsonObject json(Path file) throws IOException {
    return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
  }

  static JsonObject result(JsonObject json, int i) {
    return json.getAsJsonArray("results").get(i).getAsJsonObject();
  }
}
