package bridge.launch;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The Java installations of this machine, told apart by their {@code release} files. */
final class JavaHomes {
  /** Where distributions, version managers and people put them; {@code ~} is the user's home. */
  private static final List<String> FOLDERS =
      List.of(
          "/usr/lib/jvm",
          "/usr/lib64/jvm",
          "/usr/java",
          "/usr/local/java",
          "/usr/local",
          "/opt",
          "/opt/java",
          "/opt/jdk",
          "~/.sdkman/candidates/java",
          "~/.jdks",
          "~/.jbang/cache/jdks",
          "~/.gradle/jdks",
          "~/.asdf/installs/java",
          "~/.local/share/mise/installs/java",
          "~");

  /** A folder with {@code bin/java}, and the version that its {@code release} file states. */
  record Home(Path folder, Runtime.Version version) {
    Path java() {
      return folder.resolve("bin/java");
    }
  }

  private JavaHomes() {}

  /**
   * A Java of at least this feature version: the one that BRIDGE_JAVA_HOME or JAVA_HOME names, else
   * of all that are found the lowest feature version, which is the one most tested, and of that the
   * latest update.
   *
   * @param root "/" but in tests
   */
  static Optional<Home> find(int feature, Map<String, String> environment, Path root) {
    for (String variable : List.of("BRIDGE_JAVA_HOME", "JAVA_HOME")) {
      Optional<Home> named =
          Optional.ofNullable(environment.get(variable))
              .filter(folder -> !folder.isBlank())
              .flatMap(folder -> read(Path.of(folder)))
              .filter(home -> home.version().feature() >= feature);
      if (named.isPresent()) {
        return named;
      }
    }
    return installed(environment, root).stream()
        .filter(home -> home.version().feature() >= feature)
        .min(
            Comparator.comparingInt((Home home) -> home.version().feature())
                .thenComparing(Home::version, Comparator.reverseOrder()));
  }

  private static List<Home> installed(Map<String, String> environment, Path root) {
    List<Home> homes = new ArrayList<>();
    for (String folder : FOLDERS) {
      String absolute = folder.replace("~", environment.getOrDefault("HOME", "/nowhere"));
      Path parent = root.resolve(absolute.substring(1));
      if (!Files.isDirectory(parent)) {
        continue;
      }
      try (DirectoryStream<Path> children = Files.newDirectoryStream(parent)) {
        children.forEach(child -> read(child).ifPresent(homes::add));
      } catch (IOException e) {
        // A folder that may not be listed holds no Java that may be started.
        continue;
      }
    }
    return homes;
  }

  /** Empty if this is not the folder of a Java that runs on this processor. */
  static Optional<Home> read(Path folder) {
    Path release = folder.resolve("release");
    if (!Files.isRegularFile(release) || !Files.isExecutable(folder.resolve("bin/java"))) {
      return Optional.empty();
    }
    String version = "";
    String processor = "x86_64";
    try {
      for (String line : Files.readAllLines(release, StandardCharsets.ISO_8859_1)) {
        String value = line.substring(line.indexOf('=') + 1).replace("\"", "").strip();
        if (line.startsWith("JAVA_VERSION=")) {
          version = value;
        } else if (line.startsWith("OS_ARCH=")) {
          processor = value;
        }
      }
      return processor.equals("x86_64") || processor.equals("amd64")
          ? Optional.of(new Home(folder, Runtime.Version.parse(version)))
          : Optional.empty();
    } catch (IOException | IllegalArgumentException e) {
      // Unreadable, or a version of the old kind (1.8.0_292): too old for us in any case.
      return Optional.empty();
    }
  }
}
