package bridge.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaLibrariesTest {
  private static final List<String> ALL =
      List.of(
          "libcudart.so.13",
          "libcublas.so.13",
          "libcublasLt.so.13",
          "libcudnn.so.9",
          "libnccl.so.2",
          "libcusparse.so.12",
          "libcufft.so.12",
          "libcurand.so.10",
          "libcusolver.so.12",
          "libcufile.so.0",
          "libcupti.so.13");

  @TempDir Path root;

  @Test
  void pythonPackagesAreFoundWhereverPythonHasThem() throws IOException {
    Path nvidia = root.resolve("some where/nvidia");
    Path cudnn = libraries(nvidia.resolve("cudnn/lib"), List.of("libcudnn.so.9"));
    Path nccl = libraries(nvidia.resolve("nccl/lib"), List.of("libnccl.so.2"));
    Path rest =
        libraries(
            nvidia.resolve("cu13/lib"),
            ALL.stream().filter(name -> !name.matches(".*(cudnn|nccl).*")).toList());
    var found = CudaLibraries.search(null, Map.of(), root, () -> List.of(nvidia));
    assertEquals(ALL, found.stream().map(CudaLibraries.Found::library).toList());
    assertEquals(Set.of(cudnn, nccl, rest), CudaLibraries.folders(found));
    assertEquals("", CudaLibraries.remedy(found));
  }

  @Test
  void virtualEnvironmentIsSearchedWithoutItsPython() throws IOException {
    Path lib = root.resolve("venv ü/lib/python3.13/site-packages/nvidia/cu13/lib");
    libraries(lib, ALL);
    var found = search(null, Map.of("VIRTUAL_ENV", root.resolve("venv ü").toString()));
    assertEquals(Set.of(lib), CudaLibraries.folders(found));
  }

  @Test
  void installationIsFoundWithItsProfiler() throws IOException {
    Path lib = libraries(root.resolve("usr/local/cuda-13.0/lib64"), ALL.subList(0, 10));
    Path profiler =
        libraries(
            root.resolve("usr/local/cuda-13.0/extras/CUPTI/lib64"), List.of("libcupti.so.13"));
    assertEquals(Set.of(lib, profiler), CudaLibraries.folders(search(null, Map.of())));
  }

  @Test
  void namedFoldersComeFirstAndNeedNoPython() throws IOException {
    Path option = libraries(root.resolve("a b"), ALL.subList(0, 5));
    Path variable = libraries(root.resolve("c"), ALL);
    libraries(root.resolve("usr/lib/x86_64-linux-gnu"), ALL);
    var found =
        CudaLibraries.search(
            root.resolve("empty") + ":" + option,
            Map.of("BRIDGE_CUDA_LIBS", variable.toString()),
            root,
            () -> fail("python was asked"));
    assertEquals(option, found.get(4).folder());
    assertEquals(variable, found.get(5).folder());
  }

  @Test
  void namedFolderMayBeTheRootOfAnInstallation() throws IOException {
    Path lib = libraries(root.resolve("cuda/lib64"), ALL);
    assertEquals(
        Set.of(lib), CudaLibraries.folders(search(root.resolve("cuda").toString(), Map.of())));
  }

  @Test
  void everyMissingLibraryIsNamedWithItsRemedyInOneLine() throws IOException {
    libraries(root.resolve("usr/lib/x86_64-linux-gnu"), ALL.subList(0, 3));
    // Of CUDA 12, which does not count.
    libraries(root.resolve("usr/local/cuda/lib64"), List.of("libcufft.so.11", "libcupti.so.12"));
    var found = search(null, Map.of());
    String remedy = CudaLibraries.remedy(found);
    assertFalse(remedy.contains("\n"));
    for (CudaLibraries.Found library : found) {
      assertEquals(library.missing(), remedy.contains(library.library()), library.library());
    }
    assertEquals(8, found.stream().filter(CudaLibraries.Found::missing).count());
    assertTrue(remedy.contains("--cuda-libs"), remedy);
    assertTrue(remedy.contains("nvidia-cudnn-cu13"), remedy);
  }

  private List<CudaLibraries.Found> search(String option, Map<String, String> environment) {
    return CudaLibraries.search(option, environment, root, List::of);
  }

  private static Path libraries(Path folder, List<String> names) throws IOException {
    Files.createDirectories(folder);
    for (String name : names) {
      Files.writeString(folder.resolve(name), "");
    }
    return folder;
  }
}
