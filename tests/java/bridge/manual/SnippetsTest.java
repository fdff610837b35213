package bridge.manual;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The pages' Java compiles as it stands and is formatted, and their JSON is JSON. */
class SnippetsTest {
  private static final Pattern CLASS =
      Pattern.compile("^(?:public |final )*(?:class|record|interface) (\\w+)", Pattern.MULTILINE);

  private static final Pattern PACKAGE = Pattern.compile("^package ([\\w.]+);", Pattern.MULTILINE);

  @TempDir Path classes;

  private static Stream<DynamicTest> each(
      String language, java.util.function.Consumer<String> check) {
    List<DynamicTest> tests =
        Page.all().stream()
            .flatMap(
                page ->
                    page.blocks().stream()
                        .filter(block -> block.language().equals(language))
                        .map(
                            block ->
                                DynamicTest.dynamicTest(
                                    page + ":" + block.line(), () -> check.accept(block.text()))))
            .toList();
    assertFalse(tests.isEmpty(), "no page has a block of " + language);
    return tests.stream();
  }

  @TestFactory
  Stream<DynamicTest> javaCompiles() {
    return each("java", this::compile);
  }

  @TestFactory
  Stream<DynamicTest> jsonIsJson() {
    return each("json", JsonParser::parseString);
  }

  private void compile(String source) {
    try {
      assertEquals(new Formatter().formatSourceAndFixImports(source + "\n"), source + "\n");
    } catch (FormatterException e) {
      throw new AssertionError(e);
    }
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    boolean fine =
        compiler
            .getTask(
                messages,
                null,
                null,
                List.of(
                    "-proc:none",
                    "-Xlint:all,-path",
                    "-Werror",
                    "-d",
                    classes.toString(),
                    "-classpath",
                    System.getProperty("java.class.path")),
                null,
                List.of(new Source(source)))
            .call();
    assertEquals("", messages.toString());
    assertEquals(true, fine);
  }

  /** A source file that is nowhere but on a page. */
  private static final class Source extends SimpleJavaFileObject {
    private final String text;

    Source(String text) {
      super(java.net.URI.create("string:///" + path(text)), Kind.SOURCE);
      this.text = text;
    }

    private static String path(String text) {
      Matcher in = PACKAGE.matcher(text);
      Matcher name = CLASS.matcher(text);
      if (!name.find()) {
        throw new AssertionError("no class in\n" + text);
      }
      return (in.find() ? in.group(1).replace('.', '/') + "/" : "") + name.group(1) + ".java";
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) throws IOException {
      return text;
    }
  }
}
