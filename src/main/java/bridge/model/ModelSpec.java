package bridge.model;

import bridge.Options;
import bridge.UsageException;
import bridge.architecture.Architectures;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a user calls a model: {@code ARCH}, {@code ARCH@CHECKPOINT}, a TorchScript file, or a
 * state_dict whose {@link ModelCard} names its architecture. ARCH is one of {@link
 * Architectures#names}, with options after a colon: {@code resnet20:width=8}.
 */
public sealed interface ModelSpec {

  /** What the user wrote. */
  String text();

  /** The file its weights come from; empty where they are drawn. */
  Optional<Path> checkpoint();

  /**
   * An architecture of ours, with its weights from a file or drawn afresh.
   *
   * @param options of the architecture, by name: {@code width}, {@code channels}, {@code classes};
   *     {@code stride} of the stem for the thin ResNets
   */
  record BuiltIn(
      String text, String architecture, Map<String, String> options, Optional<Path> checkpoint)
      implements ModelSpec {

    public BuiltIn {
      options = Map.copyOf(options);
    }
  }

  /** A file alone: a network with its code, or weights with a card. */
  record ModelFile(String text, Path file) implements ModelSpec {

    @Override
    public Optional<Path> checkpoint() {
      return Optional.of(file);
    }
  }

  Pattern BUILT_IN = Pattern.compile("([\\w-]+)(?::([^@/]*))?(?:@(.+))?");

  /**
   * Reads a model's name.
   *
   * @throws UsageException if it names neither an architecture nor a file that is there
   */
  static ModelSpec parse(String text) {
    Matcher m = BUILT_IN.matcher(text);
    if (m.matches() && Architectures.has(m.group(1))) {
      Optional<Path> checkpoint = Optional.ofNullable(m.group(3)).map(f -> path(text, f));
      checkpoint.ifPresent(file -> check(text, file));
      return new BuiltIn(text, m.group(1), Architectures.options(text, m.group(2)), checkpoint);
    }
    Path file = BundledModels.locate(path(text, text));
    if (Files.exists(file) || !m.matches()) {
      check(text, file);
      return new ModelFile(text, file);
    }
    throw new UsageException(
        "model %s is neither a file nor an architecture%s; there are %s"
            .formatted(
                text,
                Options.hint(m.group(1), Architectures.names()),
                String.join(", ", Architectures.names())));
  }

  private static Path path(String text, String file) {
    try {
      return Path.of(file);
    } catch (InvalidPathException e) {
      throw new UsageException("model " + text + " names no possible file", e);
    }
  }

  private static void check(String text, Path file) {
    if (Files.isDirectory(file)) {
      throw new UsageException("model %s: %s is a folder; name a file".formatted(text, file));
    }
    if (!Files.exists(file)) {
      throw new UsageException(
          "model %s: file %s does not exist; check the path".formatted(text, file));
    }
  }
}
