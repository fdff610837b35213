package bridge.manual;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A command that a page shows.
 *
 * @param line of the page
 * @param words the program first
 * @param output the file it is redirected to; null for none
 */
public record Command(Page page, int line, List<String> words, String output) {
  private static final Set<String> SHELL = Set.of("", "sh");

  private static final List<String> PROGRAMS =
      List.of("java", "bridge", "mvn", "python", "python3");

  /** The commands of a page's blocks, and those between backticks in its prose. */
  public static List<Command> of(Page page) {
    List<Command> commands = new ArrayList<>();
    for (Page.Block block : page.blocks()) {
      if (SHELL.contains(block.language())) {
        block
            .text()
            .replaceAll("\\\\\\n\\s*", "")
            .lines()
            .flatMap(line -> Stream.of(line.split(" && ")))
            .forEach(line -> commands.add(of(page, block.line(), line)));
      }
    }
    for (String code : page.codes()) {
      if (PROGRAMS.contains(code.split(" ")[0]) && code.contains(" ") && !code.contains("…")) {
        commands.add(of(page, 0, code));
      }
    }
    return commands;
  }

  private static Command of(Page page, int line, String text) {
    String command = text.replaceFirst("\\s+#.*", "").strip();
    String[] parts = command.split(" > ", 2);
    List<String> words = Arrays.asList(parts[0].split("\\s+"));
    return new Command(page, line, words, parts.length == 1 ? null : parts[1].strip());
  }

  /**
   * The words after {@code java -X… -jar bridge.jar} or {@code bridge}; null for other programs.
   */
  public List<String> arguments() {
    if (words.getFirst().equals("bridge")) {
      return words.subList(1, words.size());
    }
    int at = words.indexOf("-jar");
    boolean jar =
        words.getFirst().equals("java")
            && words.subList(1, Math.max(at, 1)).stream().allMatch(word -> word.startsWith("-X"))
            && words.size() > at + 1
            && words.get(at + 1).matches("(.*/)?bridge\\.jar");
    return jar ? words.subList(at + 2, words.size()) : null;
  }

  @Override
  public String toString() {
    return page + (line == 0 ? "" : ":" + line) + " " + String.join(" ", words);
  }
}
