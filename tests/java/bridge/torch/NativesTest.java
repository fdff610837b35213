package bridge.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the loaded libraries tell of themselves. */
class NativesTest {

  @Test
  void loadingTwiceIsLoadingOnce() {
    Natives.load();
    Natives.load();
    assertTrue(Files.isDirectory(Natives.cache()), () -> Natives.cache().toString());
  }

  @Test
  void theVersionIsThatOfLibtorch() {
    assertTrue(Natives.version().matches("\\d+\\.\\d+\\.\\d+"), Natives.version());
  }

  @Test
  void threadsAreSet() {
    int before = Natives.threads();
    try {
      Natives.setThreads(before + 1);
      assertEquals(before + 1, Natives.threads());
    } finally {
      Natives.setThreads(before);
    }
    assertEquals(before, Natives.threads());
  }

  /** One, unless the user's environment says otherwise. */
  @Test
  @SuppressWarnings("restricted")
  void matricesAreMultipliedByNoThreadsBesideThese() throws Throwable {
    Natives.load();
    String set = System.getenv("OPENBLAS_NUM_THREADS");
    List<Path> libraries;
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      libraries =
          maps.filter(line -> line.contains("/libopenblas"))
              .map(line -> Path.of(line.substring(line.indexOf('/'))))
              .distinct()
              .toList();
    }
    assertFalse(libraries.isEmpty());
    for (Path library : libraries) {
      MethodHandle threads =
          Linker.nativeLinker()
              .downcallHandle(
                  SymbolLookup.libraryLookup(library, Arena.global())
                      .find("openblas_get_num_threads")
                      .orElseThrow(),
                  FunctionDescriptor.of(ValueLayout.JAVA_INT));
      int found = (int) threads.invokeExact();
      assertEquals(set == null ? 1 : Integer.parseInt(set), found, library::toString);
    }
  }

  @Test
  void residentMemoryGrowsWithWhatIsTouched() {
    int size = 64 << 20;
    long before = Natives.residentBytes();
    assertTrue(before > 1 << 20 && before < 1L << 40, "resident " + before);
    try (Scope _ = Scope.open("test")) {
      Tensor touched = Tensor.full(1, DType.UINT8, Device.CPU, size);
      long grown = Natives.residentBytes() - before;
      assertTrue(grown > size / 2, () -> "grown by " + grown + " for " + touched);
    }
  }
}
