package bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/** Files and methods that a reader can take in at once. */
class SizeTest {
  private static final int LINES_OF_A_FILE = 350;
  private static final int LINES_OF_A_METHOD = 40;

  /** Says in its documentation's first sentence why it may be longer. */
  private static final Path LONG = Path.of("src/main/java/bridge/torch/Tensor.java");

  private static final String REASON = "longer than other files because";

  @Test
  void noFileIsTooLong() throws IOException {
    List<String> tooLong = new ArrayList<>();
    for (Path file : sources("src", "tests")) {
      String source = Files.readString(file);
      if (source.lines().count() > LINES_OF_A_FILE && !file.equals(LONG)) {
        tooLong.add("%s: %d lines".formatted(file, source.lines().count()));
      }
    }
    assertEquals(List.of(), tooLong, "split by subject, at most 350 lines each");
    String documentation = Files.readString(LONG).replaceFirst("(?s).*?/\\*\\*", "");
    String sentence = documentation.split("\\.\\s", 2)[0].replaceAll("\\s*\\n \\* ", " ");
    assertTrue(sentence.contains(REASON), () -> LONG + " does not say why: " + sentence);
  }

  @Test
  void noMethodIsTooLong() throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      var sources = files.getJavaFileObjectsFromPaths(sources("src/main", "src/build"));
      assertEquals(List.of(), longMethods(sources), "divide them, at most 40 lines each");
    }
  }

  private static List<Path> sources(String... folders) throws IOException {
    List<Path> sources = new ArrayList<>();
    for (String folder : folders) {
      try (Stream<Path> files = Files.walk(Path.of(folder))) {
        files.filter(file -> file.toString().endsWith(".java")).sorted().forEach(sources::add);
      }
    }
    assertTrue(sources.size() > 0, "no sources");
    return sources;
  }

  /** From the line of its signature to its closing brace: neither Javadoc nor annotations count. */
  private static List<String> longMethods(Iterable<? extends JavaFileObject> sources)
      throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    JavacTask task = (JavacTask) compiler.getTask(null, null, null, null, null, sources);
    SourcePositions positions = Trees.instance(task).getSourcePositions();
    List<String> found = new ArrayList<>();
    for (CompilationUnitTree file : task.parse()) {
      LineMap lines = file.getLineMap();
      CharSequence source = file.getSourceFile().getCharContent(true);
      new TreeScanner<Void, Void>() {
        @Override
        public Void visitMethod(MethodTree method, Void nothing) {
          long last = lines.getLineNumber(positions.getEndPosition(file, method) - 1);
          long length = last - lines.getLineNumber(signature(method)) + 1;
          if (length > LINES_OF_A_METHOD) {
            found.add(
                "%s: %s has %d lines"
                    .formatted(file.getSourceFile().getName(), method.getName(), length));
          }
          return super.visitMethod(method, nothing);
        }

        /** Where it begins behind its annotations. */
        private long signature(MethodTree method) {
          long start = positions.getStartPosition(file, method);
          for (Tree annotation : method.getModifiers().getAnnotations()) {
            start = Math.max(start, positions.getEndPosition(file, annotation));
          }
          while (Character.isWhitespace(source.charAt((int) start))) {
            start++;
          }
          return start;
        }
      }.scan(file, null);
    }
    return found;
  }

  private static JavaFileObject sample(String source) {
    return new SimpleJavaFileObject(URI.create("Sample.java"), JavaFileObject.Kind.SOURCE) {
      @Override
      public CharSequence getCharContent(boolean ignoreEncodingErrors) {
        return source;
      }
    };
  }

  /** A method of so many lines, the signature's and the brace's counted. */
  private static String method(String signature, int lines) {
    return signature + " {\n" + "call(() -> 1);\n".repeat(lines - 2) + "}\n";
  }

  @Test
  void signatureToBraceIsCounted() throws IOException {
    String documented = "/**\n * Documented.\n */\n@Deprecated\n@Override\n";
    String source =
        "class Sample {\n"
            + method(documented + "Sample()", 41)
            + method(documented + "int fits(\nint a)", 39)
            + method("int tooLong(\nint a)", 40)
            + "Object inner = new Object() {\n"
            + method("public void within()", 42)
            + "};\n"
            + "}\n";
    assertEquals(
        Set.of(
            "Sample.java: <init> has 41 lines",
            "Sample.java: tooLong has 41 lines",
            "Sample.java: within has 42 lines"),
        Set.copyOf(longMethods(List.of(sample(source)))));
  }
}
