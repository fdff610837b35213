import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Builds the shim for CUDA graphs with the machine's g++, if it has one; else the program is built
 * without, and says so when asked.
 *
 * <p>{@code java CudaGraphShim.java JNI_FOLDER OUT.so LIBTORCH_VERSION}. Neither CUDA nor libtorch
 * need be there. What is newer than its sources stays as it is.
 */
final class CudaGraphShim {
  private static final List<String> FLAGS =
      List.of("-std=c++17", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror");

  /** It is to be loaded by any machine that runs the program: nothing but C++'s own library. */
  private static final List<String> SHIM =
      List.of("-fvisibility=hidden", "-Wl,-z,now", "-Wl,-z,defs", "-s");

  /** A compiler's run. */
  private record Ran(int status, String said) {}

  private final Path sources;
  private final Path out;
  private final String libtorch;

  private CudaGraphShim(Path sources, Path out, String libtorch) {
    this.sources = sources;
    this.out = out;
    this.libtorch = libtorch;
  }

  public static void main(String[] args) throws IOException, InterruptedException {
    String libtorch = args[2].replaceFirst("-.*", "");
    Optional<String> problem =
        new CudaGraphShim(Path.of(args[0]), Path.of(args[1]), libtorch).build();
    if (problem.isPresent()) {
      System.err.println("built without CUDA graphs: " + problem.get());
    }
  }

  /** Why there is none now; empty if there is one. */
  private Optional<String> build() throws IOException, InterruptedException {
    if (isNew()) {
      return Optional.empty();
    }
    Files.deleteIfExists(out);
    Files.createDirectories(out.toAbsolutePath().getParent());
    Path work = Files.createTempDirectory("cuda-graph-shim");
    try {
      return compile(work);
    } catch (IOException e) {
      return Optional.of("g++ cannot be run; install it to have them");
    } finally {
      try (Stream<Path> files = Files.walk(work)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private boolean isNew() throws IOException {
    if (!Files.exists(out)) {
      return false;
    }
    FileTime built = Files.getLastModifiedTime(out);
    try (Stream<Path> files = Files.list(sources)) {
      for (Path file : files.toList()) {
        if (Files.getLastModifiedTime(file).compareTo(built) > 0) {
          return false;
        }
      }
    }
    return true;
  }

  private Optional<String> compile(Path work) throws IOException, InterruptedException {
    Path stub = work.resolve("libtorch_cuda.so");
    Path shim = work.resolve("shim.so");
    Ran ran = run("-Wl,-soname,libtorch_cuda.so", source("libtorch_cuda_stub.cpp"), "-o", stub);
    if (ran.status == 0) {
      List<Object> arguments = new ArrayList<>(SHIM);
      arguments.add("-DLIBTORCH=\"" + libtorch + "\"");
      arguments.addAll(List.of(source("cuda_graph.cpp"), "-L" + work, "-ltorch_cuda", "-o", shim));
      ran = run(arguments.toArray());
    }
    if (ran.status != 0) {
      return Optional.of("g++ failed:\n" + ran.said.strip());
    }
    Files.move(shim, out, StandardCopyOption.REPLACE_EXISTING);
    return Optional.empty();
  }

  private Path source(String name) {
    return sources.resolve(name);
  }

  private static Ran run(Object... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("g++"));
    command.addAll(FLAGS);
    Arrays.stream(arguments).map(Object::toString).forEach(command::add);
    Process compiler = new ProcessBuilder(command).redirectErrorStream(true).start();
    compiler.getOutputStream().close();
    String said = new String(compiler.getInputStream().readAllBytes(), UTF_8);
    return new Ran(compiler.waitFor(), said);
  }
}
