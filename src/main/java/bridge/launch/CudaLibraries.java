package bridge.launch;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The libraries of CUDA 13, cuDNN 9 and NCCL 2 that the CUDA build needs from the machine: which of
 * them are here, and in which folders.
 *
 * <p>They are too large for the jar, and most machines that train have them: with an installed
 * Python PyTorch (its {@code nvidia-*} packages) or with a CUDA installation.
 */
public final class CudaLibraries {
  /** Set by the launcher to what {@code --cuda-libs} named. */
  static final String OPTION_PROPERTY = "bridge.cuda.libs";

  /** Every library, with the package of Python's index and Debian's words for it. */
  private static final Map<String, String> NEEDED = new LinkedHashMap<>();

  static {
    NEEDED.put("libcudart.so.13", "nvidia-cuda-runtime");
    NEEDED.put("libcublas.so.13", "nvidia-cublas");
    NEEDED.put("libcublasLt.so.13", "nvidia-cublas");
    NEEDED.put("libcudnn.so.9", "nvidia-cudnn-cu13");
    NEEDED.put("libnccl.so.2", "nvidia-nccl-cu13");
    NEEDED.put("libcusparse.so.12", "nvidia-cusparse");
    NEEDED.put("libcufft.so.12", "nvidia-cufft");
    NEEDED.put("libcurand.so.10", "nvidia-curand");
    NEEDED.put("libcusolver.so.12", "nvidia-cusolver");
    NEEDED.put("libcufile.so.0", "nvidia-cufile");
    NEEDED.put("libcupti.so.13", "nvidia-cuda-cupti");
  }

  /**
   * A library that CUDA needs, and where it is.
   *
   * @param library its file name, such as {@code libcudart.so.13}
   * @param folder where it lies, null if it was not found
   */
  public record Found(String library, Path folder) {
    /** Whether it was found nowhere. */
    public boolean missing() {
      return folder == null;
    }

    /** The Python package that holds this library. */
    public String pythonPackage() {
      return NEEDED.get(library);
    }
  }

  private CudaLibraries() {}

  /**
   * Whether this build of the program runs on CUDA's libraries and cannot start libtorch without.
   */
  public static boolean needed() {
    return CudaLibraries.class.getResource("/org/bytedeco/pytorch/linux-x86_64-gpu/libjnitorch.so")
        != null;
  }

  /** All that are needed, in a fixed order, each where the program would load it from. */
  public static List<Found> search() {
    return search(System.getProperty(OPTION_PROPERTY), System.getenv());
  }

  /** One line for a person: what is missing and what to do; empty if nothing is. */
  public static String remedy(List<Found> libraries) {
    List<Found> missing = libraries.stream().filter(Found::missing).collect(Collectors.toList());
    if (missing.isEmpty()) {
      return "";
    }
    return "not found: "
        + missing.stream().map(Found::library).collect(Collectors.joining(", "))
        + "; name their folders with --cuda-libs DIR[:DIR...] or BRIDGE_CUDA_LIBS, or install them"
        + " (CUDA 13, cuDNN 9, NCCL 2), for example by: pip install "
        + missing.stream().map(Found::pythonPackage).distinct().collect(Collectors.joining(" "));
  }

  /** The folders to put on the loader's path, none of them twice. */
  static Set<Path> folders(List<Found> libraries) {
    return libraries.stream()
        .filter(found -> !found.missing())
        .map(Found::folder)
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  static List<Found> search(String option, Map<String, String> environment) {
    return search(option, environment, Path.of("/"), CudaLibraries::pythonPackages);
  }

  /**
   * @param option folders separated by ':', or null
   * @param root "/" but in tests
   * @param python asks Python for the folders of its {@code nvidia} packages; only called for
   *     libraries that nobody has named
   */
  static List<Found> search(
      String option, Map<String, String> environment, Path root, Supplier<List<Path>> python) {
    List<Supplier<List<Path>>> places =
        List.of(
            () -> withParts(listed(option)),
            () -> withParts(listed(environment.get("BRIDGE_CUDA_LIBS"))),
            () -> listed(environment.get("LD_LIBRARY_PATH")),
            () -> packageFolders(python.get()),
            () -> packageFolders(sitePackages(environment, root)),
            () -> installations(root));
    Map<String, Path> found = new LinkedHashMap<>();
    for (Supplier<List<Path>> place : places) {
      if (found.size() == NEEDED.size()) {
        break;
      }
      for (Path folder : place.get()) {
        for (String library : NEEDED.keySet()) {
          if (Files.isRegularFile(folder.resolve(library))) {
            found.putIfAbsent(library, folder);
          }
        }
      }
    }
    return NEEDED.keySet().stream()
        .map(library -> new Found(library, found.get(library)))
        .collect(Collectors.toList());
  }

  private static List<Path> listed(String folders) {
    if (folders == null) {
      return List.of();
    }
    List<Path> paths = new ArrayList<>();
    for (String folder : folders.split(File.pathSeparator)) {
      try {
        if (!folder.isBlank()) {
          paths.add(Path.of(folder).toAbsolutePath());
        }
      } catch (InvalidPathException e) {
        // Cannot exist under that name, so it holds nothing.
        continue;
      }
    }
    return paths;
  }

  /** Also takes the root of a CUDA installation or the folder of the nvidia packages. */
  private static List<Path> withParts(List<Path> folders) {
    return folders.stream()
        .flatMap(
            folder ->
                Stream.of(
                        List.of(folder),
                        installation(folder),
                        packageFolders(List.of(folder)),
                        packageFolders(List.of(folder.resolve("nvidia"))))
                    .flatMap(List::stream))
        .collect(Collectors.toList());
  }

  private static List<Path> packageFolders(List<Path> packages) {
    return packages.stream()
        .flatMap(folder -> matching(folder, "*").stream())
        .map(folder -> folder.resolve("lib"))
        .collect(Collectors.toList());
  }

  private static List<Path> sitePackages(Map<String, String> environment, Path root) {
    List<Path> prefixes = new ArrayList<>();
    for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      prefixes.addAll(listed(environment.get(variable)));
    }
    if (environment.containsKey("HOME")) {
      Path home = Path.of(environment.get("HOME"));
      prefixes.add(home.resolve(".local"));
      for (String conda : List.of("miniconda3", "anaconda3", "miniforge3")) {
        prefixes.add(home.resolve(conda));
      }
    }
    prefixes.add(root.resolve("opt/conda"));
    prefixes.add(root.resolve("usr/local"));
    prefixes.add(root.resolve("usr"));
    return prefixes.stream()
        .flatMap(prefix -> matching(prefix.resolve("lib"), "python3*").stream())
        .flatMap(python -> Stream.of("site-packages", "dist-packages").map(python::resolve))
        .map(packages -> packages.resolve("nvidia"))
        .collect(Collectors.toList());
  }

  private static List<Path> installations(Path root) {
    List<Path> folders = new ArrayList<>();
    for (Path cuda : matching(root.resolve("usr/local"), "cuda*")) {
      folders.addAll(installation(cuda));
    }
    folders.add(root.resolve("usr/lib/x86_64-linux-gnu"));
    folders.add(root.resolve("usr/lib64"));
    return folders;
  }

  private static List<Path> installation(Path cuda) {
    return List.of(cuda.resolve("lib64"), cuda.resolve("lib"), cuda.resolve("extras/CUPTI/lib64"));
  }

  /** The children whose name fits, in order of their names; none if there is no such folder. */
  private static List<Path> matching(Path parent, String glob) {
    List<Path> children = new ArrayList<>();
    if (Files.isDirectory(parent)) {
      try (DirectoryStream<Path> stream = Files.newDirectoryStream(parent, glob)) {
        stream.forEach(children::add);
      } catch (IOException e) {
        // Nothing can be loaded from a folder that cannot be listed.
        return List.of();
      }
    }
    children.sort(Comparator.naturalOrder());
    return children;
  }

  /** What {@code python3} says; empty if there is none, or it knows none, or it takes too long. */
  private static List<Path> pythonPackages() {
    String program = "import nvidia; print('\\n'.join(nvidia.__path__))";
    try {
      Process python =
          new ProcessBuilder("python3", "-c", program)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      python.getOutputStream().close();
      if (!python.waitFor(10, TimeUnit.SECONDS)) {
        python.destroyForcibly();
        return List.of();
      }
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(python.getInputStream(), StandardCharsets.UTF_8))) {
        return lines.lines().map(Path::of).collect(Collectors.toList());
      }
    } catch (IOException | InvalidPathException e) {
      return List.of();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }
}
