package bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The formatter that the build enforces: google-java-format, nothing configured. */
class FormatTest {
  @Test
  void everySourceIsFormatted() throws IOException, FormatterException {
    boolean mend = "mend".equals(System.getProperty("format"));
    Formatter formatter = new Formatter();
    List<String> unformatted = new ArrayList<>();
    for (Path source : sources()) {
      String text = Files.readString(source);
      String formatted = formatter.formatSourceAndFixImports(text);
      if (!formatted.equals(text)) {
        if (mend) {
          Files.writeString(source, formatted);
        } else {
          unformatted.add(source.toString());
        }
      }
    }
    assertEquals(List.of(), unformatted, "mend with: mvn -q test -Dtest=FormatTest -Dformat=mend;");
  }

  private static List<Path> sources() throws IOException {
    try (Stream<Path> src = Files.walk(Path.of("src"));
        Stream<Path> tests = Files.walk(Path.of("tests"))) {
      return Stream.concat(src, tests).filter(file -> file.toString().endsWith(".java")).toList();
    }
  }
}
