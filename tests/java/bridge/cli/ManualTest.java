package bridge.cli;

import static java.util.stream.Collectors.toSet;
import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.Options;
import bridge.architecture.Architectures;
import bridge.architecture.Dimensions;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.data.DataSpec;
import bridge.evaluate.AttackNames;
import bridge.manual.Command;
import bridge.manual.Page;
import bridge.train.Recipe;
import bridge.train.Recipes;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import picocli.CommandLine;
import picocli.CommandLine.ParseResult;

/** Every command that the manual shows is one that the program takes; short ones are run. */
class ManualTest {
  private static final Set<String> GOALS = Set.of("package", "verify", "test", "javadoc:javadoc");

  private static final int FEW_IMAGES = 10;

  /**
   * For settings that need other teachers than any built-in recipe has, such as IAD's version II.
   */
  private static final Optional<String> TWO_TEACHERS =
      Optional.of(
          "teachers=[{\"model\": \"a\", \"role\": \"ADVERSARIAL\"}, {\"model\": \"b\", \"role\":"
              + " \"CLEAN\"}]");

  private final Map<String, String> recipes = new HashMap<>();

  private static Stream<Command> commands() {
    return Page.all().stream().flatMap(page -> Command.of(page).stream());
  }

  @TestFactory
  Stream<DynamicTest> commandsAreTaken() {
    return commands().map(c -> DynamicTest.dynamicTest(c.toString(), () -> check(c)));
  }

  private void check(Command command) throws IOException {
    if (command.arguments() != null) {
      bridge(command);
      return;
    }
    switch (command.words().getFirst()) {
      case "mvn" -> maven(command.words().subList(1, command.words().size()));
      case "python", "python3" -> python(command.words());
      default -> throw new AssertionError("neither bridge, mvn nor python");
    }
  }

  private void bridge(Command command) {
    String[] arguments = command.arguments().toArray(String[]::new);
    ParseResult parsed = parse(arguments);
    while (parsed.hasSubcommand()) {
      parsed = parsed.subcommand();
    }
    switch (parsed.commandSpec().name()) {
      case "train", "bench" -> training(parsed);
      case "evaluate" -> evaluation(parsed);
      case "recipes" -> remember(parsed, command);
      default -> {}
    }
    data(parsed.matchedOptionValue("--data", null));
    if (parsed.commandSpec().name().equals("check")) {
      data(parsed.matchedPositionalValue(0, ""));
    }
    Stream.of("--model", "--surrogate", "--beside")
        .map(option -> parsedModel(command, option))
        .filter(Objects::nonNull)
        .forEach(ManualTest::architecture);
  }

  private static ParseResult parse(String... arguments) {
    return new CommandLine(new Main())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .parseArgs(arguments);
  }

  private static String parsedModel(Command command, String option) {
    int at = command.words().indexOf(option);
    return at < 0 ? null : command.words().get(at + 1);
  }

  /** The recipe with what is set in it, as far as it is built in or comes from such a one. */
  private void training(ParseResult parsed) {
    String name = parsed.matchedPositionalValue(0, "");
    if (name.equals("RECIPE") || name.isEmpty()) {
      return; // any, or the one that is meant where none is named
    }
    String from = recipes.getOrDefault(name, name);
    assertTrue(Recipes.names().contains(from), () -> from + " is no built-in recipe");
    JsonObject recipe = Recipes.load(from);
    List<String> sets = parsed.matchedOptionValue("--set", List.of());
    sets.forEach(set -> Recipes.set(recipe, set));
    assertDoesNotThrow(() -> Recipe.from(recipe));
  }

  /** {@code recipes NAME > FILE}: later commands may name the file. */
  private void remember(ParseResult parsed, Command command) {
    if (command.output() != null) {
      recipes.put(command.output(), parsed.matchedPositionalValue(0, List.<String>of()).getFirst());
    }
  }

  private static void evaluation(ParseResult parsed) {
    String epsilon = parsed.matchedOptionValue("--eps", "8/255");
    Ball ball = new Ball(parsed.matchedOptionValue("--norm", Norm.LINF), Options.parse(epsilon));
    for (String attack : parsed.matchedOptionValue("--attacks", "fgsm").split(",")) {
      if (!attack.matches("clean|transfer.*")) {
        AttackNames.named(attack, ball);
      }
    }
  }

  private static void data(String text) {
    if (text != null) {
      String kind = text.split(":")[0];
      assertTrue(
          Arrays.stream(DataSpec.Kind.values()).anyMatch(k -> k.toString().equals(kind)), text);
    }
  }

  /** The name and options of a built-in network; files need not be there. */
  private static void architecture(String model) {
    String text = model.split("@")[0];
    if (model.contains("@") || Architectures.has(text.split(":")[0])) {
      Architectures.shapes(text, new Dimensions(3, 10, 32));
    }
  }

  private static void maven(List<String> words) throws IOException {
    String pom = Files.readString(Path.of("pom.xml"));
    for (String word : words) {
      if (word.startsWith("-P")) {
        assertTrue(pom.contains("<id>" + word.substring(2) + "</id>"), word);
      } else if (word.startsWith("-Dtest=")) {
        try (Stream<Path> files = Files.walk(Path.of("tests/java"))) {
          Set<String> known = files.map(f -> f.getFileName().toString()).collect(toSet());
          for (String test : word.substring("-Dtest=".length()).split(",")) {
            assertTrue(known.contains(test + ".java"), test);
          }
        }
      } else {
        assertTrue(word.matches("-[qBo]|-D[\\w.]+(=\\S+)?") || GOALS.contains(word), word);
      }
    }
  }

  /** The script is there, and knows the options. */
  private static void python(List<String> words) throws IOException {
    Path script = Path.of(words.get(1));
    assertTrue(Files.exists(script), script::toString);
    String text = Files.readString(script);
    assertAll(
        words.stream()
            .filter(word -> word.startsWith("--"))
            .map(word -> word.replaceFirst("=.*", ""))
            .map(option -> () -> assertTrue(text.contains('"' + option + '"'), option)));
  }

  @TestFactory
  Stream<DynamicTest> shortCommandsRun() {
    List<List<String>> found =
        commands()
            .map(Command::arguments)
            .filter(Objects::nonNull)
            .filter(ManualTest::isShort)
            .distinct()
            .toList();
    for (String command : List.of("recipes", "inspect", "doctor", "data", "evaluate")) {
      assertTrue(
          found.stream().anyMatch(c -> c.getFirst().equals(command)),
          () -> "no page has a " + command + " that can be run");
    }
    return found.stream()
        .map(c -> DynamicTest.dynamicTest(String.join(" ", c), () -> ManualTest.runs(c)));
  }

  /** Whether a command takes seconds, writes nothing, and all that it names is there. */
  private static boolean isShort(List<String> arguments) {
    return switch (arguments.getFirst()) {
      case "recipes" -> true;
      case "doctor" -> arguments.size() == 1;
      case "inspect" -> arguments.size() == 2 && Files.exists(Path.of(arguments.get(1)));
      case "data" -> arguments.contains(DataSpec.Kind.FASHION_MNIST_MINI.toString());
      case "evaluate" -> {
        ParseResult parsed = parse(arguments.toArray(String[]::new)).subcommand();
        yield Files.exists(Path.of(parsed.matchedOptionValue("--model", "")))
            && parsed.matchedOptionValue("--limit", Integer.MAX_VALUE) <= FEW_IMAGES
            && Stream.of("--json", "--state", "--picture").noneMatch(arguments::contains);
      }
      default -> false;
    };
  }

  private static void runs(List<String> arguments) {
    Console.Ran ran = Console.run(arguments.toArray(String[]::new));
    assertEquals(0, ran.status(), ran.err());
    assertEquals("", ran.err());
    assertTrue(!ran.out().isBlank());
  }

  @Test
  void theAttacksOfThePageAreThoseOfTheHelp() throws IOException {
    List<String> help =
        Arrays.stream(AttackTable.lines())
            .filter(line -> line.matches("  [a-z].*"))
            .map(line -> String.join(" | ", line.strip().split(" {2,}")))
            .toList();
    List<String> page =
        Files.readAllLines(Path.of("src/site/markdown/evaluation.md")).stream()
            .filter(line -> line.matches("\\| `.*(linf|l2|l1) \\|.*"))
            .map(line -> line.replace("`", "").replaceAll("^\\| | \\|$", ""))
            .toList();
    assertEquals(help, page);
  }

  /** {@code PATH=VALUE} in the tables of options is one that some built-in recipe takes. */
  @TestFactory
  Stream<DynamicTest> settingsAreKnown() {
    Pattern setting = Pattern.compile("[a-z]+\\.[a-zA-Z]+=[^\\s….]+");
    return Page.all().stream()
        .flatMap(page -> page.codes().stream())
        .flatMap(code -> Stream.of(code.split(" ")))
        .filter(word -> setting.matcher(word).matches())
        .distinct()
        .map(word -> DynamicTest.dynamicTest(word, () -> someRecipeTakes(word)));
  }

  private static void someRecipeTakes(String setting) {
    Set<String> refusals = new TreeSet<>();
    for (String name : Recipes.names()) {
      for (Optional<String> teachers : List.of(Optional.<String>empty(), TWO_TEACHERS)) {
        JsonObject recipe = Recipes.load(name);
        teachers.ifPresent(two -> Recipes.set(recipe, two));
        Recipes.set(recipe, setting);
        try {
          Recipe.from(recipe);
          return;
        } catch (bridge.UsageException e) {
          refusals.add(e.getMessage());
        }
      }
    }
    throw new AssertionError(String.join("\n", refusals));
  }
}
