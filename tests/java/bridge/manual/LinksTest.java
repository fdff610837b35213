package bridge.manual;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the pages point at is there. */
class LinksTest {
  private static final int README_LINES = 130;
  private static final int WIDTH = 120;

  static List<Page> pages() {
    return Page.all();
  }

  @Test
  void theReadmeStaysShort() {
    int lines = Page.of(Path.of("README.md")).lines().size();
    assertTrue(lines <= README_LINES, "README.md has " + lines + " lines, at most " + README_LINES);
  }

  @ParameterizedTest
  @MethodSource("pages")
  void linksLeadSomewhere(Page page) {
    List<String> dead = new ArrayList<>();
    for (String link : page.links()) {
      if (!link.matches("https?://.*")) {
        String[] parts = link.split("#", 2);
        Path folder = Path.of("").toAbsolutePath().resolve(page.file()).getParent();
        Path target = parts[0].isEmpty() ? page.file() : folder.resolve(parts[0]).normalize();
        if (!Files.exists(target)
            || (parts.length == 2 && !Page.of(target).anchors().contains(parts[1]))) {
          dead.add(link);
        }
      }
    }
    assertEquals(List.of(), dead, () -> "links of " + page + " that lead nowhere");
  }

  /** Files of the repository that a page names between backticks, patterns included. */
  @ParameterizedTest
  @MethodSource("pages")
  void filesThatAreNamedExist(Page page) {
    List<String> missing =
        page.codes().stream()
            .flatMap(code -> Stream.of(code.split(" ")))
            .filter(word -> word.matches("(src|tests|models|jni|\\.ci)/[\\w./*-]+"))
            .filter(word -> !exists(word))
            .toList();
    assertEquals(List.of(), missing, () -> "files that " + page + " names");
  }

  private static boolean exists(String pattern) {
    Path path = Path.of(pattern);
    if (!pattern.contains("*")) {
      return Files.exists(path);
    }
    var matcher = path.getFileSystem().getPathMatcher("glob:" + pattern);
    try (Stream<Path> files = Files.list(path.getParent())) {
      return files.anyMatch(matcher::matches);
    } catch (java.io.IOException e) {
      return false;
    }
  }

  /** Tables and code may be wider. */
  @ParameterizedTest
  @MethodSource("pages")
  void proseIsNotTooWide(Page page) {
    List<String> wide =
        page.lines().stream()
            .filter(line -> line.length() > WIDTH && !line.startsWith("|"))
            .filter(line -> !line.startsWith("    "))
            .toList();
    assertEquals(List.of(), wide, () -> "lines of " + page + " of more than " + WIDTH);
  }

  @Test
  void theReadmeLeadsToEveryPage() {
    List<String> links = Page.of(Path.of("README.md")).links();
    List<String> unlinked =
        pages().stream()
            .map(Page::toString)
            .filter(file -> !file.equals("README.md"))
            .filter(file -> links.stream().noneMatch(link -> link.startsWith(file)))
            .toList();
    assertEquals(List.of(), unlinked);
  }
}
