package bridge.manual;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A page of the manual, cut into what tests can check.
 *
 * @param file relative to the repository's root
 * @param lines of the whole page
 */
public record Page(Path file, List<String> lines) {
  private static final Pattern FENCE = Pattern.compile("```(\\w*)\\s*");
  private static final Pattern LINK = Pattern.compile("!?\\[[^]]*]\\(([^)\\s]+)\\)");
  private static final Pattern CODE = Pattern.compile("`([^`]+)`");
  private static final String INDENTED = "    ";

  /**
   * Text that stands for itself.
   *
   * @param language of a fenced block as the fence names it; empty for an indented one
   * @param line of the page where it begins, from 1
   */
  public record Block(String language, int line, String text) {}

  /** What is written for people to read: the README, the manual, and the pages of folders. */
  public static List<Page> all() {
    List<Page> pages = new ArrayList<>();
    for (String file : List.of("README.md", "CHANGELOG.md", "models/README.md", "jni/README.md")) {
      pages.add(of(Path.of(file)));
    }
    try (Stream<Path> manual = Files.list(Path.of("src/site/markdown"))) {
      manual.sorted().map(Page::of).forEach(pages::add);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return pages;
  }

  public static Page of(Path file) {
    try {
      return new Page(file, Files.readAllLines(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Blocks of code, indented or fenced. */
  public List<Block> blocks() {
    List<Block> blocks = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      Matcher fence = FENCE.matcher(lines.get(i));
      int end = i;
      if (fence.matches()) {
        do {
          end++;
        } while (!lines.get(end).equals("```"));
        blocks.add(new Block(fence.group(1), i + 2, String.join("\n", lines.subList(i + 1, end))));
      } else if (lines.get(i).startsWith(INDENTED) && (i == 0 || lines.get(i - 1).isBlank())) {
        while (end < lines.size() && lines.get(end).startsWith(INDENTED)) {
          end++;
        }
        List<String> code = lines.subList(i, end).stream().map(String::stripIndent).toList();
        blocks.add(new Block("", i + 1, String.join("\n", code)));
      }
      i = end;
    }
    return blocks;
  }

  /** The lines that are prose, tables and headings, those of code empty. */
  private List<String> prose() {
    List<String> prose = new ArrayList<>(lines);
    for (Block block : blocks()) {
      int end = block.line() - 1 + (int) block.text().lines().count();
      prose.subList(block.line() - 1, end).replaceAll(_ -> "");
    }
    prose.replaceAll(line -> FENCE.matcher(line).matches() ? "" : line);
    return prose;
  }

  /** Targets of links and pictures. */
  public List<String> links() {
    return LINK.matcher(String.join("\n", prose())).results().map(m -> m.group(1)).toList();
  }

  /** What stands between backticks in the prose, which may wrap. */
  public List<String> codes() {
    return CODE.matcher(String.join("\n", prose()))
        .results()
        .map(m -> m.group(1).replaceAll("\\s+", " "))
        .toList();
  }

  /** What links may name after {@code #}: headings in lower case, without signs, '-' for spaces. */
  public Set<String> anchors() {
    Set<String> anchors = new TreeSet<>();
    Map<String, Integer> seen = new HashMap<>();
    for (String line : prose()) {
      if (line.matches("#+ .*")) {
        String plain =
            line.replaceFirst("#+ ", "")
                .toLowerCase(java.util.Locale.ROOT)
                .replaceAll("[^\\p{L}\\p{N} _-]", "")
                .replace(' ', '-');
        int before = seen.merge(plain, 1, Integer::sum) - 1;
        anchors.add(before == 0 ? plain : plain + "-" + before);
      }
    }
    return anchors;
  }

  @Override
  public String toString() {
    return file.toString();
  }
}
