package bridge.build;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The joined jar, read back in both ways that a zip has: from its directory at the end, and entry
 * by entry from the start, where Java compares every size and checksum with what it read.
 */
class OneJarTest {
  private static final String TOOL = "src/build/OneJar.java";

  @TempDir Path folder;

  /** What came of a run of the tool. */
  private record Ran(int status, String said) {}

  private Ran join(Path out, Path program, Path... libraries)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"));
    command.add(String.join(":", Stream.of(libraries).map(Path::toString).toList()));
    command.addAll(List.of(TOOL, program.toString(), out.toString()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Ran(process.waitFor(), said);
  }

  private Path jar(String name, int level, Map<String, byte[]> entries) throws IOException {
    Path file = folder.resolve(name);
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      zip.setLevel(level);
      zip.setComment("a comment after the directory of " + name);
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        zip.putNextEntry(entry(entry.getKey(), entry.getValue(), level));
        zip.write(entry.getValue());
      }
    }
    return file;
  }

  /** Stored ones have their sizes in front, deflated ones after the data. */
  private static ZipEntry entry(String name, byte[] content, int level) {
    ZipEntry entry = new ZipEntry(name);
    if (level == 0) {
      CRC32 crc = new CRC32();
      crc.update(content);
      entry.setMethod(ZipEntry.STORED);
      entry.setSize(content.length);
      entry.setCrc(crc.getValue());
    }
    if (name.length() < 100) {
      entry.setComment("of " + name);
    }
    return entry;
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private static void assertHolds(Map<String, byte[]> expected, Path jar) throws IOException {
    List<String> names = new ArrayList<>();
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (ZipEntry entry : zip.stream().map(ZipEntry.class::cast).toList()) {
        names.add(entry.getName());
        byte[] content = zip.getInputStream(entry).readAllBytes();
        assertArrayEquals(expected.get(entry.getName()), content, entry.getName());
        assertEquals(content.length, entry.getSize(), entry.getName());
        CRC32 crc = new CRC32();
        crc.update(content);
        assertEquals(crc.getValue(), entry.getCrc(), entry.getName());
      }
    }
    assertEquals(List.copyOf(expected.keySet()), names);
    names.clear();
    try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(jar))) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        names.add(entry.getName());
        assertTrue(entry.getSize() >= 0, () -> "no size before the data of " + names.getLast());
        assertArrayEquals(expected.get(entry.getName()), zip.readAllBytes(), entry.getName());
      }
    }
    assertEquals(List.copyOf(expected.keySet()), names);
  }

  @Test
  void everyEntryComesThroughWhole() throws IOException, InterruptedException {
    Map<String, byte[]> program = new LinkedHashMap<>();
    program.put("META-INF/MANIFEST.MF", "Main-Class: a.B\n".getBytes(UTF_8));
    program.put("a/", new byte[0]);
    program.put("a/empty", new byte[0]);
    program.put("a/one", new byte[] {7});
    program.put("a/zeros", new byte[3_000_000]);
    Map<String, byte[]> stored = new LinkedHashMap<>();
    stored.put("b/empty", new byte[0]);
    stored.put("b/random", random(20_000_001)); // more than one buffer of any kind
    stored.put("b/name-äöü-ε", random(300));
    Map<String, byte[]> deflated = new LinkedHashMap<>();
    deflated.put("c/random", random(70_001));
    deflated.put("c/text", "text ".repeat(20_000).getBytes(UTF_8));
    deflated.put("c/" + "long".repeat(10_000), random(10)); // a name of more than 32,767 bytes

    Path out = folder.resolve("out.jar");
    Ran ran =
        join(
            out,
            jar("program.jar", 9, program),
            jar("stored.jar", 0, stored),
            jar("deflated.jar", 1, deflated));
    assertEquals(new Ran(0, ""), ran);
    Map<String, byte[]> all = new LinkedHashMap<>(program);
    all.putAll(stored);
    all.putAll(deflated);
    assertHolds(all, out);
    assertFalse(Files.exists(Path.of(out + ".part")));
  }

  @Test
  void theFirstOfWhatAllHaveStaysAndUnneededGoes() throws IOException, InterruptedException {
    byte[] first = {1};
    byte[] second = {2};
    Map<String, byte[]> program = new LinkedHashMap<>();
    program.put("META-INF/MANIFEST.MF", first);
    program.put("META-INF/LICENSE", first);
    program.put("a/A.class", first);
    Map<String, byte[]> library = new LinkedHashMap<>();
    for (String name :
        List.of(
            "META-INF/MANIFEST.MF",
            "META-INF/LICENSE",
            "META-INF/SIGNED.SF",
            "META-INF/SIGNED.RSA",
            "META-INF/versions/21/a/A.class",
            "module-info.class",
            "org/bytedeco/x/jnix.cpp",
            "b/B.class")) {
      library.put(name, second);
    }
    Path out = folder.resolve("out.jar");
    assertEquals(
        new Ran(0, ""), join(out, jar("program.jar", 9, program), jar("library.jar", 9, library)));
    Map<String, byte[]> all = new LinkedHashMap<>(program);
    all.put("b/B.class", second);
    assertHolds(all, out);
  }

  /** Each with the end of its message; the jar that was there stays. */
  @Test
  void whatCannotBeJoinedIsRefused() throws IOException, InterruptedException {
    Path out = folder.resolve("out.jar");
    Files.writeString(out, "the old one");
    Path one = jar("one.jar", 9, Map.of("a/A.class", new byte[] {1}));
    Path same = jar("same.jar", 9, Map.of("a/A.class", new byte[] {1}));
    refused(out, one, same, "hold a/A.class");

    Path text = Files.writeString(folder.resolve("text.jar"), "x".repeat(100));
    refused(out, text, one, "not a jar: " + text);

    Map<String, byte[]> many = new LinkedHashMap<>();
    for (int i = 0; i < 0xffff; i++) {
      many.put("n/" + i, new byte[0]);
    }
    refused(out, one, jar("many.jar", 0, many), "65536 entries");

    Path large = jar("large.jar", 0, Map.of("b/large", random(100)));
    try (RandomAccessFile file = new RandomAccessFile(large.toFile(), "rw")) {
      byte[] bytes = Files.readAllBytes(large);
      byte[] header = {'P', 'K', 1, 2};
      int at = 0;
      while (!Arrays.equals(bytes, at, at + 4, header, 0, 4)) {
        at++;
      }
      file.seek(at + 20);
      file.write(new byte[] {-2, -1, -1, 127}); // two gigabytes, says the directory
    }
    refused(out, one, large, "is cut short inside b/large");
  }

  private void refused(Path out, Path program, Path library, String message)
      throws IOException, InterruptedException {
    Ran ran = join(out, program, library);
    assertEquals(1, ran.status(), ran::said);
    assertTrue(ran.said().contains(message), ran::said);
    assertEquals("the old one", Files.readString(out));
  }
}
