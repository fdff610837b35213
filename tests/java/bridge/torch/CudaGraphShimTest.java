package bridge.torch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shim for CUDA graphs, on a fake of libtorch's CUDA library with the same symbols. */
class CudaGraphShimTest {
  private static final String TOOL = "src/build/CudaGraphShim.java";
  private static final String VERSION = "2.10.0";
  private static final String REASON =
      "libtorch: CUDA error: operation not permitted when stream is capturing";
  private static final String WARMED = "enter work work work synchronize CUDAGraph(false)";
  private static final String BEGIN = " capture_begin(0,0,1)";
  private static final String GONE = " reset ~CUDAGraph";
  private static final String AGAIN = " again " + WARMED + BEGIN + " work capture_end leave" + GONE;

  @TempDir static Path folder;
  private static Path shim;

  /** What a process printed, and how it ended. */
  private record Ran(int status, String said) {
    String only(String word) {
      List<String> lines = said.lines().filter(l -> l.startsWith(word + " ")).toList();
      assertEquals(1, lines.size(), said);
      return lines.getFirst().substring(word.length() + 1);
    }
  }

  @BeforeAll
  static void buildsTheShim() throws IOException, InterruptedException {
    assumeTrue(isRunnable("g++"), "needs g++");
    shim = folder.resolve("classes/libbridge_cuda_graph.so");
    Ran built = build(Map.of(), shim);
    assertEquals(new Ran(0, ""), built);
    assertTrue(Files.exists(shim));
  }

  private static boolean isRunnable(String program) throws InterruptedException {
    try {
      return run(Map.of(), List.of(program, "--version")).status == 0;
    } catch (IOException e) {
      return false;
    }
  }

  private static Ran build(Map<String, String> environment, Path out)
      throws IOException, InterruptedException {
    return run(
        environment,
        List.of(java(), "-XX:TieredStopAtLevel=1", TOOL, "jni", out.toString(), VERSION + "-1.5"));
  }

  private static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  private static Ran run(Map<String, String> environment, List<String> command)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Ran(process.waitFor(), said);
  }

  private static String fake(String... defines) throws IOException, InterruptedException {
    Path library = Files.createTempDirectory(folder, "fake").resolve("libtorch_cuda.so");
    List<String> command = new ArrayList<>(List.of("g++", "-std=c++17", "-shared", "-fPIC"));
    command.addAll(List.of(defines));
    command.addAll(List.of("-Wl,-soname,libtorch_cuda.so", "-o", library.toString()));
    command.add("tests/jni/fake_libtorch_cuda.cpp");
    assertEquals(new Ran(0, ""), run(Map.of(), command));
    return library.toString();
  }

  /** Runs {@link FakeCuda} to its end: whatever is refused, the process lives on. */
  private static Ran use(String fake, String version, String refused)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(java(), "-XX:TieredStopAtLevel=1"));
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("cache"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(FakeCuda.class.getName(), fake, shim.toString(), version, refused));
    Ran ran = run(Map.of(), command);
    assertEquals(0, ran.status, ran.said);
    assertTrue(ran.said.endsWith("end\n"), ran.said);
    return ran;
  }

  @Test
  void callsComeInOrder() throws IOException, InterruptedException {
    Ran ran = use(fake(), VERSION, "none");
    assertEquals(
        WARMED + BEGIN + " work capture_end leave replay replay" + GONE, ran.only("calls"));
    assertTrue(ran.only("compiler").startsWith("g++ "), ran.said);
    assertFalse(ran.said.contains("refused"), ran.said);
  }

  @Test
  void whatLibtorchThrowsIsOneLineAndTheNextCaptureWorks()
      throws IOException, InterruptedException {
    String fake = fake();
    Map<String, String> calls =
        Map.of(
            "CUDAGraph", WARMED + " leave",
            "capture_begin", WARMED + BEGIN + GONE + " leave",
            "capture_end", WARMED + BEGIN + " work capture_end" + GONE + " leave",
            "replay", WARMED + BEGIN + " work capture_end leave replay" + GONE);
    for (Map.Entry<String, String> call : calls.entrySet()) {
      Ran ran = use(fake, VERSION, call.getKey());
      assertEquals(REASON, ran.only("refused"));
      assertEquals(call.getValue() + AGAIN, ran.only("calls"));
      assertEquals("this graph is already closed", ran.only("closed"));
    }
  }

  @Test
  void refusedWorkEndsTheCapture() throws IOException, InterruptedException {
    Ran ran = use(fake(), VERSION, "work");
    assertEquals("libtorch: refused inside", ran.only("refused"));
    assertEquals(WARMED + BEGIN + " work capture_end" + GONE + " leave" + AGAIN, ran.only("calls"));
  }

  @Test
  void aRefusalToResetDoesNotEndTheProcess() throws IOException, InterruptedException {
    Ran ran = use(fake(), VERSION, "reset");
    assertFalse(ran.said.contains("refused"), ran.said);
    assertTrue(ran.only("calls").endsWith("replay replay" + GONE), ran.said);
  }

  @Test
  void exceptionsOfUnknownClassAreCaughtToo() throws IOException, InterruptedException {
    assertEquals(
        "libtorch: an exception of unknown class", use(fake(), VERSION, "replay!").only("refused"));
  }

  @Test
  void aMissingSymbolIsNamed() throws IOException, InterruptedException {
    Ran ran = use(fake("-DWITHOUT_REPLAY"), VERSION, "none");
    String refused = ran.only("refused");
    assertTrue(refused.startsWith("the shim for CUDA graphs cannot be loaded: "), refused);
    assertTrue(refused.contains("undefined symbol: _ZN2at4cuda9CUDAGraph6replayEv"), refused);
  }

  @Test
  void withoutTheLibraryItsNameIsTold() throws IOException, InterruptedException {
    String refused = use("none", VERSION, "none").only("refused");
    assertTrue(refused.contains("libtorch_cuda.so: cannot open shared object file"), refused);
  }

  @Test
  void anotherVersionIsRefused() throws IOException, InterruptedException {
    assertEquals(
        "the shim for CUDA graphs is version 1 for libtorch 2.10.0, needed is 1 for 2.11.0;"
            + " build anew",
        use(fake(), "2.11.0", "none").only("refused"));
  }

  @Test
  void aLargerObjectIsFoundOut() throws IOException, InterruptedException {
    Ran ran = use(fake("-DLARGER"), VERSION, "none");
    List<String> refused = ran.said.lines().filter(l -> l.startsWith("refused ")).toList();
    assertEquals(
        "refused libtorch: libtorch's CUDAGraph is larger than the 104 bytes that it has in"
            + " libtorch 2.10.0",
        refused.getFirst(),
        ran.said);
  }

  @Test
  void whatIsNewerThanItsSourcesStays() throws IOException, InterruptedException {
    var built = Files.getLastModifiedTime(shim);
    assertEquals(new Ran(0, ""), build(Map.of(), shim));
    assertEquals(built, Files.getLastModifiedTime(shim));
  }

  @Test
  void withoutACompilerTheBuildGoesOn() throws IOException, InterruptedException {
    Path out = folder.resolve("none.so");
    Ran ran = build(Map.of("PATH", folder.toString()), out);
    assertEquals(
        new Ran(0, "built without CUDA graphs: g++ cannot be run; install it to have them\n"), ran);
    assertFalse(Files.exists(out));
  }
}
