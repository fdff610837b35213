package bridge.checkpoint;

import static bridge.checkpoint.Hostile.assertRefused;
import static bridge.checkpoint.Hostile.n;
import static bridge.checkpoint.Hostile.put;
import static bridge.checkpoint.Hostile.reads;
import static bridge.checkpoint.Hostile.tensor;
import static bridge.checkpoint.Hostile.zip;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Scope;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Damaged and malicious files give a CheckpointException, soon and in bounded memory, or load. */
final class HostileFilesTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("golden", "tests/golden"), "checkpoints");

  /** Over all formats together; -Dmutants=N for another number, -Dseed=N for others. */
  private static final int MUTANTS = Integer.getInteger("mutants", 50_000);

  private long alive;

  @BeforeEach
  void count() {
    alive = Scope.alive();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(alive, Scope.alive(), "native objects alive");
  }

  // ---- damage ------------------------------------------------------------------------------

  /** Every golden file that can be read: all formats. */
  private static List<Path> seeds() throws IOException {
    try (Stream<Path> files = Files.list(GOLDEN)) {
      return files.filter(HostileFilesTest::isCheckpoint).sorted().toList();
    }
  }

  private static boolean isCheckpoint(Path file) {
    try {
      return reads(Files.readAllBytes(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void filesCutOffAnywhereAreRefused() throws IOException {
    for (Path seed : seeds()) {
      byte[] whole = Files.readAllBytes(seed);
      for (int length = 0; length < whole.length; length += 97) {
        boolean read = reads(Arrays.copyOf(whole, length));
        // A tar ends with empty blocks, which may lack.
        assertTrue(
            !read || seed.toString().endsWith("legacy_tar.tar"),
            seed + " cut off at " + length + " was read");
      }
    }
  }

  @Test
  @Tag("slow")
  void mutantsAreRefusedOrRead() throws IOException {
    Random random = new Random(Long.getLong("seed", 1));
    List<Path> seeds = seeds();
    int refused = 0;
    int all = 0;
    for (Path file : seeds) {
      byte[] whole = Files.readAllBytes(file);
      for (int i = 0; i < Math.ceilDiv(MUTANTS, seeds.size()); i++) {
        refused += reads(mutant(whole, random)) ? 0 : 1;
        all++;
      }
    }
    System.out.printf("%d mutants of %d files, %d refused%n", all, seeds.size(), refused);
    assertTrue(refused > all / 10, refused + " of " + all + " refused: the mutants are too tame");
  }

  /** A few bytes changed, or a part overwritten with another; mostly near the ends, not in data. */
  private static byte[] mutant(byte[] whole, Random random) {
    byte[] bytes = whole.clone();
    for (int n = 1 + random.nextInt(6); n > 0; n--) {
      int near = random.nextInt(Math.min(bytes.length, 4000));
      int at = random.nextBoolean() ? near : bytes.length - 1 - near;
      switch (random.nextInt(5)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> bytes[at] = (byte) (random.nextBoolean() ? 0xff : 0x7f);
        case 3 ->
            bytes[at] = (byte) "(.0123NRQbtu}])hqr\u0080\u0088\u0093".charAt(random.nextInt(20));
        default -> {
          int length = Math.min(1 + random.nextInt(16), bytes.length - at);
          System.arraycopy(bytes, random.nextInt(bytes.length - length), bytes, at, length);
        }
      }
    }
    return bytes;
  }

  // ---- zip directories ---------------------------------------------------------------------

  private byte[] plain() {
    return tensor(16, 0, n(4, 4), n(4, 1));
  }

  private static int find(byte[] zip, int signature, int nth) {
    ByteBuffer bytes = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
    int seen = 0;
    for (int at = 0; at + 4 <= zip.length; at++) {
      if (bytes.getInt(at) == signature && seen++ == nth) {
        return at;
      }
    }
    throw new AssertionError("no such record");
  }

  private static byte[] with(byte[] bytes, int at, int value, int width) {
    byte[] changed = bytes.clone();
    for (int i = 0; i < width; i++) {
      changed[at + i] = (byte) (value >> 8 * i);
    }
    return changed;
  }

  @Test
  void brokenDirectoriesAreRefused() {
    byte[] zip = plain();
    int first = find(zip, 0x02014b50, 0);
    int second = find(zip, 0x02014b50, 1);
    int end = find(zip, 0x06054b50, 0);
    assertRefused(with(zip, first + 10, 8, 2), "compressed or encrypted");
    assertRefused(with(zip, first + 8, 1, 2), "compressed or encrypted");
    assertRefused(with(zip, first + 20, 1 << 30, 4), "compressed or encrypted");
    assertRefused(with(with(zip, second + 20, 1 << 30, 4), second + 24, 1 << 30, 4), "outside");
    assertRefused(with(zip, second + 42, 1 << 30, 4), "outside");
    assertRefused(with(zip, second + 42, 1, 4), "no entry a/data/0 where its directory says");
    assertRefused(with(zip, second + 24, -1, 4), "zip64");
    assertRefused(with(zip, end + 12, 1 << 30, 4), "outside");
    assertRefused(with(zip, end + 16, 1 << 30, 4), "outside");
    assertRefused(with(zip, end + 16, -1, 4), "zip64");
    assertRefused(with(zip, end + 10, 0xfff0, 2), "lists 65520 entries");
    assertRefused(with(zip, end + 10, 1, 2), "no entry a/data/0");
    assertRefused(with(zip, end + 10, 0, 2), "0 entries named FOLDER/data.pkl");
  }

  @Test
  void overlappingAndRepeatedEntriesAreRefused() {
    byte[] zip = plain();
    int first = find(zip, 0x02014b50, 0);
    int size = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN).getInt(first + 24) + 64;
    byte[] longer = with(with(zip, first + 20, size, 4), first + 24, size, 4);
    assertRefused(longer, "overlap");
    byte[] twice =
        zip(
            z -> {
              put(z, "a/data.pkl", new byte[1]);
              put(z, "a/data.pkl", new byte[1]);
            });
    assertRefused(twice, "twice");
    byte[] folders =
        zip(
            z -> {
              put(z, "a/data.pkl", new byte[1]);
              put(z, "b/data.pkl", new byte[1]);
            });
    assertRefused(folders, "2 entries");
    assertRefused(zip(z -> put(z, "../../data.pkl", new byte[1])), "0 entries");
  }

  /** As torch.jit.save does with code that is longer than a page. */
  @Test
  void compressedCodeIsLeftAlone() throws IOException {
    Path script = GOLDEN.resolve("torchscript_scripted_torch213.pt");
    for (String packed : List.of("/code/", "/data.pkl", "/data/1")) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ZipFile from = new ZipFile(script.toFile());
          ZipOutputStream to = new ZipOutputStream(bytes)) {
        for (ZipEntry old : Collections.list(from.entries())) {
          ZipEntry entry = new ZipEntry(old.getName());
          if (!old.getName().contains(packed)) {
            entry.setMethod(ZipEntry.STORED);
            entry.setSize(old.getSize());
            entry.setCrc(old.getCrc());
          }
          to.putNextEntry(entry);
          from.getInputStream(old).transferTo(to);
        }
      }
      assertEquals(packed.equals("/code/"), reads(bytes.toByteArray()), packed);
    }
  }

  /** As in PyTorch, whose own files may hold another number; see {@link ZipDirectory}. */
  @Test
  void wrongChecksumsAreTolerated() throws IOException {
    byte[] zip = plain();
    CRC32 sum = new CRC32();
    sum.update(new byte[64]);
    int second = find(zip, 0x02014b50, 1);
    assertEquals(
        (int) sum.getValue(),
        ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN).getInt(second + 16));
    assertTrue(reads(with(zip, second + 16, 0, 4)));
  }

  // ---- safetensors -------------------------------------------------------------------------

  private static byte[] safetensors(String header, int bytes) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer all = ByteBuffer.allocate(8 + json.length + bytes).order(ByteOrder.LITTLE_ENDIAN);
    return all.putLong(json.length).put(json).array();
  }

  @Test
  void brokenHeadersAreRefused() throws IOException {
    String good = "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}".replace('\'', '"');
    assertTrue(reads(safetensors(good, 8)));
    assertTrue(reads(safetensors(good + "   ", 8)));
    assertRefused(safetensors(good, 7), "fetch it again");
    assertRefused(safetensors(good, 9), "end at");
    assertRefused(safetensors(good + "x", 8), "header");
    for (String bad :
        new String[] {
          "[2]|[3]",
          "[2]|[-2]",
          "[2]|[1e99]",
          "[2]|[2.5]",
          "[2]|[9223372036854775808]",
          "[2]|2",
          "[2]|[4611686018427387904,4]",
          "[2]|['x']",
          "[2]|[null]",
          "[0,8]|[8,16]",
          "[0,8]|[8,0]",
          "[0,8]|[-8,0]",
          "[0,8]|[0]",
          "[0,8]|[0,8,9]",
          "F32|F8_E4M3",
          "F32|F16",
          "'F32'|[]",
          "'shape'|'form'",
          "}}|}",
          "}}|},'a':{}}",
          "}}|},'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
          "}}|},'b':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
          "}}|},'b':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}",
          "}}|},'__metadata__':{'a':[]}}",
          "}}|},'__metadata__':[]}"
        }) {
      String[] change = bad.replace('\'', '"').split("\\|");
      assertRefused(safetensors(good.replace(change[0], change[1]), 8), "hostile");
    }
    for (String header :
        new String[] {
          "{" + "\"a\":{".repeat(100_000),
          "{\"a\":{\"x\":" + "[".repeat(1_000_000),
          "{}}",
          "{\n\n\u0000"
        }) {
      assertRefused(safetensors(header, 0), "hostile");
    }
  }

  @Test
  void headersLongerThanTheFileAreRefused() {
    for (long length : n(-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, 3)) {
      byte[] bytes =
          ByteBuffer.allocate(10)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putLong(length)
              .put((byte) '{')
              .put((byte) '}')
              .array();
      assertRefused(bytes, "says that its header has");
    }
  }

  @Test
  void otherFilesAreCalledWhatTheyAre() {
    Map.of(
            "", "is empty",
            "<!doctype html>", "web page",
            "version https://git-lfs.github.com/spec/v1\n", "git lfs pull",
            "\u001f\u008b\u0008", "gzip",
            "\u0080\u0004}.", "torch.save did not write",
            "hello", "no known layout")
        .forEach(
            (text, because) -> assertRefused(text.getBytes(StandardCharsets.ISO_8859_1), because));
  }

  @Test
  void legacyFilesOfOtherMachinesAreRefused() throws IOException {
    byte[] legacy = Files.readAllBytes(GOLDEN.resolve("legacy_torch113_state_dict.pt"));
    ByteArrayOutputStream big = new ByteArrayOutputStream();
    String text = new String(legacy, StandardCharsets.ISO_8859_1);
    int at = text.indexOf("little_endian");
    big.write(legacy);
    byte[] changed = big.toByteArray();
    int flag = text.indexOf('\u0088', at);
    changed[flag] = (byte) 0x89;
    assertRefused(changed, "big-endian");
    assertRefused(with(legacy, 15 + 3, 5, 1), "another version");
  }
}
