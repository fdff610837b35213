package bridge.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.files.WholeFile;
import bridge.pickle.PickleWriter;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/** Makes damaged and malicious files, and reads them as everybody does. */
final class Hostile {
  private static final Path FILE = file();

  private Hostile() {}

  private static Path file() {
    try {
      Path file = Files.createTempFile("hostile", "");
      file.toFile().deleteOnExit();
      return file;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Whether it is read, and then every element of its tensors; a refusal must be one line. */
  static boolean reads(byte[] bytes) throws IOException {
    Files.write(FILE, bytes);
    try (Scope _ = Scope.open("hostile");
        StateDict state = Checkpoints.read(FILE)) {
      for (Tensor t : state.tensors().values()) {
        try (Scope _ = Scope.open("touch")) {
          t.copy();
        }
      }
      return true;
    } catch (CheckpointException e) {
      assertEquals(1, e.getMessage().lines().count(), e::getMessage);
      assertTrue(e.getMessage().length() < 1500, e::getMessage);
      return false;
    }
  }

  /** It must be refused, soon, in one line that holds {@code because}. */
  static void assertRefused(byte[] bytes, String because) {
    var e =
        assertTimeoutPreemptively(
            Duration.ofSeconds(20),
            () -> {
              Files.write(FILE, bytes);
              try (Scope _ = Scope.open("hostile")) {
                return assertThrows(
                    CheckpointException.class, () -> Checkpoints.read(FILE).close());
              }
            });
    assertTrue(e.getMessage().contains(because), e::getMessage);
    assertEquals(1, e.getMessage().lines().count(), e::getMessage);
  }

  /** A checkpoint of this pickle and a storage "0" of 64 bytes. */
  static byte[] zip(byte[] pickle) {
    return zip(
        zip -> {
          put(zip, "a/data.pkl", pickle);
          put(zip, "a/data/0", new byte[64]);
        });
  }

  static byte[] zip(Consumer<ZipWriter> entries) {
    WholeFile.write(
        FILE,
        out -> {
          ZipWriter zip = new ZipWriter(out);
          entries.accept(zip);
          zip.finish();
        });
    try {
      return Files.readAllBytes(FILE);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  static void put(ZipWriter zip, String name, byte[] bytes) {
    try {
      zip.put(name, bytes);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** A pickle from its opcodes as characters. */
  static byte[] zip(String opcodes) {
    return zip(("\u0080\u0002" + opcodes).getBytes(StandardCharsets.ISO_8859_1));
  }

  /** A state_dict of one tensor "w" in the 64 bytes of storage 0. */
  static byte[] tensor(long numel, long offset, long[] shape, long[] strides) {
    PickleWriter out = new PickleWriter();
    out.protocol();
    out.global("collections", "OrderedDict");
    out.tuple();
    out.call();
    out.mark();
    out.text("w");
    out.global("torch._utils", "_rebuild_tensor_v2");
    out.mark();
    out.mark();
    out.text("storage");
    out.global("torch", "FloatStorage");
    out.text("0");
    out.text("cuda:0");
    out.number(numel);
    out.endTuple();
    out.persistent();
    out.number(offset);
    out.tuple(shape);
    out.tuple(strides);
    out.no();
    out.tuple();
    out.endTuple();
    out.call();
    out.setItems();
    return zip(out.stop());
  }

  static long[] n(long... numbers) {
    return numbers;
  }
}
